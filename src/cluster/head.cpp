#include "cluster/head.h"

#include "base/error.h"
#include "base/log.h"
#include "base/shares.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/part_collector.h"
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

Routes routes_of(const std::vector<HeadStage>& stages, const Signature& signature,
                 const std::vector<TensorSource>& sources) {
  std::vector<RoutedStage> routed;
  for (const HeadStage& stage : stages) {
    routed.push_back({stage.name, stage.graph.inputs().size(), stage.graph.outputs().size(),
                      stage.replicas.size(), stage.sources});
  }
  return find_routes(routed, signature.inputs.size(), signature.outputs.size(), sources);
}

// A replica of a stage as the head knows it. Its slot is its place in the list, counted from 1.
struct Place {
  std::size_t stage = 0;
  HeadReplica plan;
  std::unique_ptr<WorkerClient> client;
  std::string loaded;  // name of the stage on its worker; empty before
  LoadCost cost;
  bool connected = false;
  bool ready = false;
  int missed = 0;  // heartbeats without an answer
  std::string error;
  std::string forward_address;
  std::deque<double> recent;  // seconds of the last runs
};

// A replica of a stage that requests enter.
struct Entry {
  std::size_t route = 0;  // of those from the head
  std::size_t place = 0;
  std::shared_ptr<DataLink> link;
};

}  // namespace

class Head::Implementation {
 public:
  Implementation(Signature signature, std::vector<HeadStage> stages, HeadOptions options)
      : signature_(std::move(signature)),
        stages_(std::move(stages)),
        options_(std::move(options)),
        routes_(routes_of(stages_, signature_, options_.sources)),
        pipeline_(new_pipeline_number()),
        data_([this](Frame frame) { receive(std::move(frame)); }, options_.max_frame_bytes),
        outbox_(options_.max_in_flight) {
    if (stages_.empty()) fail(ErrorCode::invalid_argument, "a pipeline without stages");
    for (const HeadStage& stage : stages_) {
      if (stage.replicas.empty()) fail(ErrorCode::invalid_argument, "stage '{}' has no worker", stage.name);
      for (const HeadReplica& replica : stage.replicas) {
        Place& place = places_.emplace_back();
        place.stage = static_cast<std::size_t>(&stage - stages_.data());
        place.plan = replica;
        place.client = std::make_unique<WorkerClient>(replica.address, options_.tls);
      }
    }
    if (routes_.parts.back().size() > 1) collector_.emplace(routes_.parts.back(), options_.max_in_flight);
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
      for (const Entry& entry : entries_)
        entry.link->close();  // the sender may wait for a worker that no longer reads
    }
    if (collector_) collector_->close();
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
    for (std::size_t i = 0; i < places_.size(); ++i) load(i);
    connect_all();
  }

  void unload() {
    const std::lock_guard lock(setup_mutex_);
    {
      const std::lock_guard state(mutex_);
      for (Place& place : places_) place.ready = false;
    }
    for (Place& place : places_) {
      try {
        if (!place.loaded.empty()) place.client->unload(place.loaded);
      } catch (const Error& error) {
        spdlog::debug("'{}' can't be unloaded: {}", stages_[place.stage].name, error.what());
      }
    }
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
    for (std::size_t i = 0; i < places_.size(); ++i) check_worker(i);
  }

  void load(std::size_t index) {
    Place& place = places_[index];
    const HeadStage& stage = stages_[place.stage];
    LoadCost cost;
    try {
      const std::string name =
          place.client->load(stage.graph, stage.hashes, {options_.precision, options_.batch, 1}, &cost);
      const std::lock_guard lock(mutex_);
      place.loaded = name;
      place.cost = cost;
      place.error.clear();
    } catch (const Error& error) {
      note_failure(index, error);
      throw;
    }
  }

  // From the last place to the first, so that no frame meets a place that isn't there yet.
  void connect_all() {
    for (std::size_t i = places_.size(); i-- > 0;) connect(i);
    std::vector<Entry> entries;
    for (std::size_t route = 0; route < routes_.of_request.size(); ++route) {
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (places_[i].stage != routes_.of_request[route].to) continue;
        const auto broken = [this, i](const Error& error) { lose_place(i, error); };
        entries.push_back(
            {route, i, std::make_shared<DataLink>(places_[i].plan.address, options_.tls, broken)});
        entries.back().link->echo({}, kEchoLimit);
      }
    }
    const std::lock_guard lock(mutex_);
    entries_.swap(entries);  // the old ones end after the lock: their threads may be waiting for it
    for (Place& place : places_) {
      place.ready = place.connected;
      place.missed = 0;
    }
  }

  void connect(std::size_t index) {
    Place& place = places_[index];
    v1::ConnectRequest request;
    request.set_pipeline(pipeline_);
    request.set_slot(slot_of(index));
    request.set_stage(place.loaded);
    std::string addresses;
    const auto add_place = [&](v1::Consumer& consumer, const std::string& address, std::uint32_t slot,
                               double share) {
      v1::NextPlace& next = *consumer.add_places();
      next.set_address(address);
      next.set_slot(slot);
      next.set_share(share);
      addresses += (addresses.empty() ? "" : ",") + address;
    };
    for (const Route& route : routes_.of_stage[place.stage]) {
      v1::Consumer& consumer = *request.add_consumers();
      const bool to_head = route.to == stages_.size();
      consumer.set_part(static_cast<std::uint32_t>(route.part));
      consumer.set_wire(std::string(to_string(to_head ? options_.return_wire : stages_[route.to].wire)));
      for (const std::size_t output : route.outputs) consumer.add_outputs(static_cast<std::uint32_t>(output));
      if (to_head) add_place(consumer, address_, 0, 1);
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (places_[i].stage == route.to)
          add_place(consumer, places_[i].plan.address, slot_of(i), places_[i].plan.share);
      }
    }
    const Parts& parts = routes_.parts[place.stage];
    for (std::size_t part = 0; parts.size() > 1 && part < parts.size(); ++part) {
      v1::Part& wanted = *request.add_parts();
      for (const std::size_t input : parts[part]) wanted.add_inputs(static_cast<std::uint32_t>(input));
    }
    request.set_head_address(address_);
    request.set_queue(static_cast<std::uint32_t>(options_.stage_queue));
    try {
      place.client->connect(request);
      const std::lock_guard lock(mutex_);
      place.connected = true;
      place.forward_address = addresses;
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
    for (const Place& place : places_) {
      StageStatus& seen = status.stages.emplace_back();
      seen.name = stages_[place.stage].name;
      seen.worker = place.plan.worker;
      seen.address = place.plan.address;
      seen.memory = place.cost.weights + place.cost.activations;
      seen.predicted_seconds = stages_[place.stage].predicted_seconds;
      if (!place.recent.empty()) seen.measured_seconds = median({place.recent.begin(), place.recent.end()});
      seen.connected = place.connected;
      seen.ready = place.ready;
      seen.forward_address = place.forward_address;
      seen.error = place.error;
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

  static std::uint32_t slot_of(std::size_t place) { return static_cast<std::uint32_t>(place + 1); }

  bool ready_locked() const {
    return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
      return entry.link->alive();
    }) && std::all_of(places_.begin(), places_.end(), [](const Place& place) { return place.ready; });
  }

  std::string trouble_locked() const {
    for (const Place& place : places_) {
      if (!place.error.empty()) return place.error;
    }
    return entries_.empty() ? "it is starting" : "a connection from the head is broken";
  }

  void note_failure(std::size_t index, const Error& error) {
    const std::lock_guard lock(mutex_);
    Place& place = places_[index];
    place.ready = false;
    place.connected = false;
    place.error = fmt::format("worker '{}': {}", place.plan.worker, error.what());
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
    if (collector_) collector_->drop(request);
    done(std::move(prediction));
    return true;
  }

  // What waits of a request that failed on its way is freed.
  void answer_failed(std::uint64_t request, const Error& error) {
    if (answer(request, {{}, error}) && has_branches()) cancelled_.try_push(request);
  }

  bool has_branches() const {
    return std::any_of(routes_.parts.begin(), routes_.parts.end(),
                       [](const Parts& parts) { return parts.size() > 1; });
  }

  void fail_all(const Error& error) {
    std::map<std::uint64_t, Pending> ended;
    {
      const std::lock_guard lock(mutex_);
      ended.swap(pending_);
      failed_ += ended.size();
    }
    for (auto& [number, pending] : ended) {
      if (collector_) collector_->drop(number);
      if (has_branches()) cancelled_.try_push(number);
      pending.done({{}, error});
    }
  }

  void lose_place(std::size_t index, const Error& error) {
    note_failure(index, error);
    std::string what;
    {
      const std::lock_guard lock(mutex_);
      what = places_[index].error;
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
      answer_failed(request, Error(error_code_from_string(error.code()), error.message()));
      return;
    }
    if (collector_) {
      if (!is_pending(request)) return;
      try {
        const Deadline limit(std::chrono::microseconds(frame.header.microseconds_left()));
        std::optional<PartCollector::Whole> whole = collector_->add(std::move(frame), limit);
        if (!whole) return;
        frame = std::move(whole->frame);
      } catch (const Error& error) {
        answer_failed(request, error);
        return;
      }
    }
    {
      const std::lock_guard lock(mutex_);
      const int stages = std::min(frame.header.stage_seconds_size(), frame.header.slots_size());
      for (int i = 0; i < stages; ++i) {
        const std::uint32_t slot = frame.header.slots(i);
        if (slot == 0 || slot > places_.size()) continue;
        auto& recent = places_[slot - 1].recent;
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
    std::vector<Shares> turns;
    for (const Route& route : routes_.of_request) turns.push_back(Shares::of(stages_[route.to].replicas));
    while (std::optional<Outgoing> next = outbox_.pop()) {
      for (std::size_t route = 0; route < turns.size(); ++route) {
        if (!send_request(*next, route, turns[route].next())) break;
      }
    }
  }

  // What goes one way of a request; false where nobody waits for it any more.
  bool send_request(const Outgoing& next, std::size_t route, std::size_t turn) {
    Entry entry;
    {
      const std::lock_guard lock(mutex_);
      if (!pending_.contains(next.request)) return false;  // cancelled or late while it waited
      for (const Entry& one : entries_) {
        if (one.route != route) continue;
        if (turn-- == 0) entry = one;
      }
    }
    const Route& way = routes_.of_request[route];
    Frame frame;
    frame.header.set_pipeline(pipeline_);
    frame.header.set_slot(slot_of(entry.place));
    frame.header.set_part(static_cast<std::uint32_t>(way.part));
    frame.header.set_request(next.request);
    frame.header.set_microseconds_left(
        std::chrono::duration_cast<std::chrono::microseconds>(next.deadline.left()).count());
    try {
      for (const std::size_t input : way.outputs)
        frame.tensors.push_back(narrow(next.inputs[input], stages_[way.to].wire));
      entry.link->send(std::move(frame));
      return true;
    } catch (const Error& error) {
      answer_failed(next.request,
                    Error(error.code(),
                          fmt::format("worker '{}': {}", places_[entry.place].plan.worker, error.what())));
    } catch (const std::bad_alloc&) {
      answer_failed(next.request, Error(ErrorCode::out_of_memory, "no memory to send the request"));
    }
    return false;
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
      for (Place& place : places_) {
        try {
          place.client->cancel(pipeline_, *request);
        } catch (const Error& error) {
          spdlog::debug("request {} can't be cancelled: {}", *request, error.what());
        }
      }
    }
  }

  void check_worker(std::size_t index) {
    Place& place = places_[index];
    const auto limit = std::max(options_.heartbeat, std::chrono::milliseconds(100));
    try {
      const v1::CheckReply reply = place.client->check(pipeline_, slot_of(index), limit);
      if (!reply.loaded()) fail(ErrorCode::unavailable, "it was restarted and has lost its stage");
      if (!reply.connected())
        fail(ErrorCode::unavailable, "its connection to '{}' is broken", reply.forward_address());
      const std::lock_guard lock(mutex_);
      place.missed = 0;
      place.connected = true;
      place.ready = true;
      place.error.clear();
    } catch (const Error& error) {
      bool lost = false;
      {
        const std::lock_guard lock(mutex_);
        const bool was_ready = place.ready;
        // Silence may pass; a closed port or a lost stage does not.
        const bool silent = error.code() == ErrorCode::deadline_exceeded;
        lost = was_ready && (!silent || ++place.missed >= options_.missed_heartbeats);
      }
      if (lost) lose_place(index, error);
    }
  }

  void watch_workers() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      wake_watcher_.wait_for(lock, options_.heartbeat, [this] { return stopping_; });
      if (stopping_ || entries_.empty()) continue;
      lock.unlock();
      for (std::size_t i = 0; i < places_.size() && !is_stopping(); ++i) check_worker(i);
      lock.lock();
    }
  }

  bool is_pending(std::uint64_t request) const {
    const std::lock_guard lock(mutex_);
    return pending_.contains(request);
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  const Signature signature_;
  const std::vector<HeadStage> stages_;
  const HeadOptions options_;
  const Routes routes_;
  const std::uint64_t pipeline_;
  DataService data_;
  std::string address_;
  std::mutex setup_mutex_;  // held while stages are loaded and connected; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable wake_watcher_;
  // All below is guarded by mutex_, save what `places_` holds from the start: stage, plan and client.
  std::vector<Place> places_;  // in the order of the stages
  std::map<std::uint64_t, Pending> pending_;
  std::vector<std::pair<Callback, Error>> refused_;
  std::vector<Entry> entries_;  // by route, then in the order of the replicas
  std::uint64_t next_request_ = 1;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  bool stopping_ = false;

  std::optional<PartCollector> collector_;  // nothing where answers come whole
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

void Head::unload() { implementation_->unload(); }

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
