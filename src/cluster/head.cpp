#include "cluster/head.h"

#include "base/error.h"
#include "base/log.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/worker_client.h"
#include "profile/statistics.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <random>
#include <thread>
#include <utility>

#include <grpcpp/server.h>

namespace lamina {

namespace {

constexpr std::size_t kRecentRuns = 64;
constexpr std::chrono::seconds kEchoLimit{20};

// A number that no earlier pipeline on these workers has.
std::uint64_t new_pipeline_number() {
  std::random_device random;
  return (std::uint64_t{random()} << 32U | random()) | 1U;
}

// A stage as the head knows it.
struct Stage {
  HeadStage plan;
  std::unique_ptr<WorkerClient> client;
  std::string loaded;  // name of the stage on its worker; empty before
  LoadedMemory memory;
  bool connected = false;
  bool ready = false;
  int missed = 0;  // heartbeats without an answer
  std::string error;
  std::string forward_address;
  std::deque<double> recent;  // seconds of the last runs
};

}  // namespace

class Head::Implementation {
 public:
  Implementation(Signature signature, std::vector<HeadStage> stages, HeadOptions options)
      : signature_(std::move(signature)),
        options_(std::move(options)),
        pipeline_(new_pipeline_number()),
        data_([this](Frame frame) { receive(std::move(frame)); }, options_.max_frame_bytes),
        outbox_(options_.max_in_flight) {
    if (stages.empty()) fail(ErrorCode::invalid_argument, "a pipeline without stages");
    for (HeadStage& stage : stages) {
      Stage& known = stages_.emplace_back();
      known.client = std::make_unique<WorkerClient>(stage.address, options_.tls);
      known.plan = std::move(stage);
    }
    Listener listener =
        listen_at(options_.listen, options_.tls, options_.max_frame_bytes, {&data_}, "the head");
    server_ = std::move(listener.server);
    address_ = std::move(listener.address);
    sender_ = std::thread([this] { send_requests(); });
    timer_ = std::thread([this] { watch_deadlines(); });
    canceller_ = std::thread([this] { tell_cancelled(); });
    watcher_ = std::thread([this] { watch_workers(); });
  }

  ~Implementation() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
      wake_watcher_.notify_all();
      if (entry_) entry_->close();  // the sender may wait for a worker that no longer reads
    }
    outbox_.close();
    cancelled_.close();
    server_->Shutdown(std::chrono::system_clock::now());
    for (std::thread* thread : {&sender_, &timer_, &canceller_, &watcher_}) thread->join();
    server_->Wait();
    fail_all(Error(ErrorCode::cancelled, "the pipeline is shut down"));
  }

  const Signature& signature() const { return signature_; }

  // --- requests ---

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
    std::uint64_t number = 0;
    try {
      check_inputs(signature_, inputs);
      const std::lock_guard lock(mutex_);
      if (!ready_locked()) fail(ErrorCode::unavailable, "the pipeline is not ready: {}", trouble_locked());
      if (pending_.size() >= options_.max_in_flight) {
        fail(ErrorCode::resource_exhausted, "{} requests are under way, no more are taken", pending_.size());
      }
      number = next_request_++;
      pending_.emplace(number, Pending{deadline, done});
      wake_.notify_all();
    } catch (const Error& error) {
      // Answers come from another thread, refusals too.
      refuse(std::move(done), error);
      return 0;
    }
    // There is room: the outbox holds as many as may be under way.
    outbox_.try_push({number, std::move(inputs), deadline});
    return number;
  }

  void cancel(std::uint64_t request) {
    if (!answer(request, {{}, Error(ErrorCode::cancelled, "the request was cancelled")})) return;
    cancelled_.try_push(request);
  }

  // --- stages ---

  void start() {
    const std::lock_guard lock(setup_mutex_);
    for (std::size_t i = 0; i < stages_.size(); ++i) load(i);
    connect_all();
  }

  void connect_unless_ready() {
    const std::lock_guard lock(setup_mutex_);
    if (!is_ready()) connect_all();
  }

  bool is_ready() const {
    const std::lock_guard lock(mutex_);
    return ready_locked();
  }

  void check_workers() {
    for (std::size_t i = 0; i < stages_.size(); ++i) check_worker(i);
  }

  void load(std::size_t index) {
    Stage& stage = stages_[index];
    LoadedMemory memory;
    try {
      const std::string name = stage.client->load(stage.plan.graph, stage.plan.hashes,
                                                  {options_.precision, options_.batch, 1}, &memory);
      const std::lock_guard lock(mutex_);
      stage.loaded = name;
      stage.memory = memory;
      stage.error.clear();
    } catch (const Error& error) {
      note_failure(index, error);
      throw;
    }
  }

  // From the last stage to the first, so that no frame meets a place that isn't there yet.
  void connect_all() {
    for (std::size_t i = stages_.size(); i-- > 0;) connect(i);
    const auto broken = [this](const Error& error) { lose_stage(0, error); };
    auto entry = std::make_shared<DataLink>(stages_.front().plan.address, options_.tls, broken);
    entry->echo({}, kEchoLimit);
    const std::lock_guard lock(mutex_);
    entry_.swap(entry);  // the old one ends after the lock: its thread may be waiting for it
    for (Stage& stage : stages_) {
      stage.ready = stage.connected;
      stage.missed = 0;
    }
  }

  void connect(std::size_t index) {
    Stage& stage = stages_[index];
    v1::ConnectRequest request;
    request.set_pipeline(pipeline_);
    request.set_slot(static_cast<std::uint32_t>(index + 1));
    request.set_stage(stage.loaded);
    const bool last = index + 1 == stages_.size();
    request.set_next_slot(last ? 0 : static_cast<std::uint32_t>(index + 2));
    request.set_next_address(last ? address_ : stages_[index + 1].plan.address);
    request.set_head_address(address_);
    request.set_queue(static_cast<std::uint32_t>(options_.stage_queue));
    request.set_wire(std::string(to_string(last ? options_.return_wire : stages_[index + 1].plan.wire)));
    try {
      stage.client->connect(request);
      const std::lock_guard lock(mutex_);
      stage.connected = true;
      stage.forward_address = request.next_address();
    } catch (const Error& error) {
      note_failure(index, error);
      throw;
    }
  }

  // --- state ---

  PipelineStatus status() const {
    const std::lock_guard lock(mutex_);
    PipelineStatus status;
    status.model = options_.model;
    status.predicted_latency = options_.predicted_latency;
    status.requests_in_flight = pending_.size();
    status.requests_answered = answered_;
    status.requests_failed = failed_;
    for (const Stage& stage : stages_) {
      StageStatus& seen = status.stages.emplace_back();
      seen.name = stage.plan.name;
      seen.worker = stage.plan.worker;
      seen.address = stage.plan.address;
      seen.memory = stage.memory.weights + stage.memory.activations;
      seen.predicted_seconds = stage.plan.predicted_seconds;
      if (!stage.recent.empty()) seen.measured_seconds = median({stage.recent.begin(), stage.recent.end()});
      seen.connected = stage.connected;
      seen.ready = stage.ready;
      seen.forward_address = stage.forward_address;
      seen.error = stage.error;
    }
    return status;
  }

 private:
  struct Pending {
    Deadline deadline;
    Callback done;
  };
  struct Outgoing {
    std::uint64_t request = 0;
    std::vector<Tensor> inputs;
    Deadline deadline;
  };

  bool ready_locked() const {
    return entry_ != nullptr && entry_->alive() &&
           std::all_of(stages_.begin(), stages_.end(), [](const Stage& stage) { return stage.ready; });
  }

  std::string trouble_locked() const {
    for (const Stage& stage : stages_) {
      if (!stage.error.empty()) return stage.error;
    }
    return entry_ != nullptr && !entry_->alive() ? "the connection to the first stage is broken"
                                                 : "it is starting";
  }

  void note_failure(std::size_t index, const Error& error) {
    const std::lock_guard lock(mutex_);
    Stage& stage = stages_[index];
    stage.ready = false;
    stage.connected = false;
    stage.error = fmt::format("worker '{}': {}", stage.plan.worker, error.what());
  }

  // Takes a request off the list and calls back; false if it was answered before.
  bool answer(std::uint64_t request, Prediction prediction) {
    Callback done;
    {
      const std::lock_guard lock(mutex_);
      const auto found = pending_.find(request);
      if (found == pending_.end()) return false;
      done = std::move(found->second.done);
      pending_.erase(found);
      ++(prediction.error ? failed_ : answered_);
    }
    done(std::move(prediction));
    return true;
  }

  void fail_all(const Error& error) {
    std::map<std::uint64_t, Pending> ended;
    {
      const std::lock_guard lock(mutex_);
      ended.swap(pending_);
      failed_ += ended.size();
    }
    for (auto& [number, pending] : ended) pending.done({{}, error});
  }

  void lose_stage(std::size_t index, const Error& error) {
    note_failure(index, error);
    std::string what;
    {
      const std::lock_guard lock(mutex_);
      what = stages_[index].error;
    }
    spdlog::error("{}", what);
    fail_all(Error(ErrorCode::unavailable, what));
  }

  void refuse(Callback done, const Error& error) {
    const std::lock_guard lock(mutex_);
    ++failed_;
    refused_.emplace_back(std::move(done), error);
    wake_.notify_all();
  }

  // An answer or an error from a worker.
  void receive(Frame frame) {
    if (frame.header.pipeline() != pipeline_) return;
    const std::uint64_t request = frame.header.request();
    if (frame.header.has_error()) {
      const v1::FrameError& error = frame.header.error();
      answer(request, {{}, Error(error_code_from_string(error.code()), error.message())});
      return;
    }
    {
      const std::lock_guard lock(mutex_);
      for (int i = 0; i < frame.header.stage_seconds_size() && i < static_cast<int>(stages_.size()); ++i) {
        auto& recent = stages_[static_cast<std::size_t>(i)].recent;
        recent.push_back(frame.header.stage_seconds(i));
        if (recent.size() > kRecentRuns) recent.pop_front();
      }
    }
    if (frame.tensors.size() != signature_.outputs.size()) {
      answer(request,
             {{},
              Error(ErrorCode::internal, fmt::format("the last stage sent {} outputs, expected {}",
                                                     frame.tensors.size(), signature_.outputs.size()))});
      return;
    }
    // Widened here, in the thread of the last stage's stream: only answers come on it, and each would wait
    // for the one before wherever it is widened. Errors of other stages come on streams of their own.
    Prediction prediction;
    try {
      prediction.outputs = widen(frame.tensors);
    } catch (const Error& error) {
      prediction.error = error;
    }
    answer(request, std::move(prediction));
  }

  void send_requests() {
    while (std::optional<Outgoing> next = outbox_.pop()) {
      std::shared_ptr<DataLink> entry;
      {
        const std::lock_guard lock(mutex_);
        if (!pending_.contains(next->request)) continue;  // cancelled or late while it waited
        entry = entry_;
      }
      Frame frame;
      frame.header.set_pipeline(pipeline_);
      frame.header.set_slot(1);
      frame.header.set_request(next->request);
      frame.header.set_microseconds_left(
          std::chrono::duration_cast<std::chrono::microseconds>(next->deadline.left()).count());
      try {
        frame.tensors = narrow(next->inputs, stages_.front().plan.wire);
        next->inputs.clear();
        entry->send(std::move(frame));
      } catch (const Error& error) {
        answer(
            next->request,
            {{},
             Error(error.code(), fmt::format("worker '{}': {}", stages_.front().plan.worker, error.what()))});
      } catch (const std::bad_alloc&) {
        answer(next->request, {{}, Error(ErrorCode::out_of_memory, "no memory to send the request")});
      }
    }
  }

  // Ends requests at their deadline and hands out refusals.
  void watch_deadlines() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      const auto refused = std::exchange(refused_, {});
      std::vector<std::uint64_t> late;
      auto next = Clock::now() + std::chrono::hours(1);
      for (const auto& [number, pending] : pending_) {
        if (pending.deadline.passed()) {
          late.push_back(number);
        } else {
          next = std::min(next, pending.deadline.time());
        }
      }
      if (refused.empty() && late.empty()) {
        wake_.wait_until(lock, next);
        continue;
      }
      lock.unlock();
      for (const auto& [done, error] : refused) done({{}, error});
      for (const std::uint64_t number : late) {
        if (answer(number,
                   {{},
                    Error(ErrorCode::deadline_exceeded, "no answer came within the request's time limit")})) {
          cancelled_.try_push(number);
        }
      }
      lock.lock();
    }
    const auto refused = std::exchange(refused_, {});
    lock.unlock();
    for (const auto& [done, error] : refused) done({{}, error});
  }

  // Tells workers of requests nobody waits for; a worker that can't be told computes in vain.
  void tell_cancelled() {
    while (const std::optional<std::uint64_t> request = cancelled_.pop()) {
      for (Stage& stage : stages_) {
        try {
          stage.client->cancel(pipeline_, *request);
        } catch (const Error& error) {
          spdlog::debug("request {} can't be cancelled: {}", *request, error.what());
        }
      }
    }
  }

  void check_worker(std::size_t index) {
    Stage& stage = stages_[index];
    const auto limit = std::max(options_.heartbeat, std::chrono::milliseconds(100));
    try {
      const v1::CheckReply reply =
          stage.client->check(pipeline_, static_cast<std::uint32_t>(index + 1), limit);
      if (!reply.loaded()) fail(ErrorCode::unavailable, "it was restarted and has lost its stage");
      if (!reply.connected())
        fail(ErrorCode::unavailable, "its connection to '{}' is broken", reply.forward_address());
      const std::lock_guard lock(mutex_);
      stage.missed = 0;
      stage.connected = true;
      stage.ready = true;
      stage.error.clear();
    } catch (const Error& error) {
      bool lost = false;
      {
        const std::lock_guard lock(mutex_);
        const bool was_ready = stage.ready;
        // Silence may pass; a closed port or a lost stage does not.
        const bool silent = error.code() == ErrorCode::deadline_exceeded;
        lost = was_ready && (!silent || ++stage.missed >= options_.missed_heartbeats);
      }
      if (lost) lose_stage(index, error);
    }
  }

  void watch_workers() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      wake_watcher_.wait_for(lock, options_.heartbeat, [this] { return stopping_; });
      if (stopping_ || entry_ == nullptr) continue;
      lock.unlock();
      for (std::size_t i = 0; i < stages_.size() && !is_stopping(); ++i) check_worker(i);
      lock.lock();
    }
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  const Signature signature_;
  const HeadOptions options_;
  const std::uint64_t pipeline_;
  DataService data_;
  std::string address_;
  std::mutex setup_mutex_;  // held while stages are loaded and connected; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable wake_watcher_;
  // All below is guarded by mutex_, save what `stages_` holds from the start: plan and client.
  std::vector<Stage> stages_;
  std::map<std::uint64_t, Pending> pending_;
  std::vector<std::pair<Callback, Error>> refused_;
  std::shared_ptr<DataLink> entry_;
  std::uint64_t next_request_ = 1;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  bool stopping_ = false;

  BoundedQueue<Outgoing> outbox_;
  BoundedQueue<std::uint64_t> cancelled_{1024};
  std::unique_ptr<grpc::Server> server_;
  std::thread sender_;
  std::thread timer_;
  std::thread canceller_;
  std::thread watcher_;
};

Head::Head(Signature signature, std::vector<HeadStage> stages, HeadOptions options)
    : implementation_(
          std::make_unique<Implementation>(std::move(signature), std::move(stages), std::move(options))) {}

Head::~Head() = default;

void Head::start() { implementation_->start(); }

const Signature& Head::signature() const { return implementation_->signature(); }

std::uint64_t Head::predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
  return implementation_->predict(std::move(inputs), deadline, std::move(done));
}

void Head::cancel(std::uint64_t request) { implementation_->cancel(request); }

PipelineStatus Head::connect() {
  try {
    implementation_->connect_unless_ready();
  } catch (const Error& error) {
    spdlog::warn("can't connect the stages: {}", error.what());
  }
  return implementation_->status();
}

PipelineStatus Head::activate() {
  try {
    if (!implementation_->is_ready()) start();
  } catch (const Error& error) {
    spdlog::warn("can't load the stages: {}", error.what());
  }
  return implementation_->status();
}

PipelineStatus Head::status() const { return implementation_->status(); }

PipelineStatus Head::check() {
  implementation_->check_workers();
  return implementation_->status();
}

}  // namespace lamina
