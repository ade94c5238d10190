#include "cluster/generation.h"

#include "base/error.h"
#include "base/log.h"
#include "base/shares.h"
#include "cluster/bounded_queue.h"
#include "cluster/data_path.h"
#include "cluster/part_collector.h"
#include "cluster/places.h"

#include <algorithm>
#include <condition_variable>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <thread>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kEchoLimit{20'000};
// Requests that were cancelled may still wait to be sent.
constexpr std::size_t kOutboxPerRequest = 4;

constexpr std::size_t kNoRoute = std::numeric_limits<std::size_t>::max();

// A connection to a replica of a stage; requests enter those that have a route.
struct Entry {
  std::size_t route = 0;  // of those from the head
  std::size_t place = 0;
  std::shared_ptr<DataLink> link;
};

}  // namespace

class Generation::Implementation {
 public:
  Implementation(const Signature& signature, std::vector<HeadStage> stages, HeadOptions options,
                 std::uint64_t pipeline, AnswerPort& answers, GenerationEvents events)
      : outputs_(signature.outputs),
        stages_(std::move(stages)),
        options_(std::move(options)),
        pipeline_(pipeline),
        answers_(answers),
        events_(std::move(events)),
        places_(stages_, options_, pipeline_),
        routes_(find_routes(stages_, signature, options_.sources)),
        outbox_(kOutboxPerRequest * options_.max_in_flight) {
    if (routes_.parts.back().size() > 1) collector_.emplace(routes_.parts.back(), options_.max_in_flight);
    answers_.open(pipeline_, [this](Frame frame) { receive(std::move(frame)); });
    sender_ = std::thread([this] { send_requests(); });
    canceller_ = std::thread([this] { tell_cancelled(); });
    watcher_ = std::thread([this] { watch_workers(); });
  }

  ~Implementation() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_watcher_.notify_all();
      for (const Entry& entry : entries_)
        entry.link->close();  // the sender may wait for a worker that no longer reads
    }
    abandon();
    if (collector_) collector_->close();
    outbox_.close();
    cancelled_.close();
    answers_.close(pipeline_);
    for (std::thread* thread : {&sender_, &canceller_, &watcher_}) thread->join();
  }

  std::uint64_t pipeline() const { return pipeline_; }

  // --- stages ---

  void start() {
    const std::lock_guard lock(setup_mutex_);
    places_.load();
    connect_all();
  }

  void connect_unless_ready() {
    const std::lock_guard lock(setup_mutex_);
    if (!ready()) connect_all();
  }

  void unload() {
    const std::lock_guard lock(setup_mutex_);
    places_.unload();
  }

  void abandon() {
    places_.abandon();
    const std::lock_guard lock(mutex_);
    abandoned_ = true;
    if (opening_) opening_->close();
  }

  void keep_only(const std::vector<std::uint64_t>& pipelines) {
    const std::lock_guard lock(setup_mutex_);
    places_.keep_only(pipelines);
  }

  // --- requests ---

  bool send(Request request) { return outbox_.try_push(std::move(request)); }

  void cancel(std::uint64_t request) {
    if (collector_) collector_->drop(request);
    cancelled_.try_push(request);
  }

  void drop(std::uint64_t request) {
    if (has_branches()) cancel(request);
  }

  // --- state ---

  bool ready() const {
    const std::lock_guard lock(mutex_);
    return !entries_.empty() && std::all_of(entries_.begin(), entries_.end(), [](const Entry& entry) {
      return entry.link->alive();
    }) && places_.all_ready();
  }

  std::string trouble() const {
    const std::string trouble = places_.trouble();
    if (!trouble.empty()) return trouble;
    const std::lock_guard lock(mutex_);
    return entries_.empty() ? "it is starting" : "a connection from the head is broken";
  }

  std::vector<StageStatus> stages() const { return places_.status(); }

  void check() {
    for (std::size_t i = 0; i < places_.size() && !is_stopping(); ++i) check_worker(i);
  }

 private:
  void connect_all() {
    places_.connect(routes_, answers_.address());
    std::vector<Entry> entries;
    const auto open = [&](std::size_t route, std::size_t i) {
      const auto broken = [this, i](const Error& error) { lose_place(i, error); };
      entries.push_back({route, i,
                         std::make_shared<DataLink>(places_.replica(i).address, options_.tls, broken,
                                                    silence_of(options_.heartbeat))});
      {
        const std::lock_guard lock(mutex_);
        opening_ = entries.back().link;
        if (abandoned_) opening_->close();
      }
      entries.back().link->echo({}, options_.answer_limit.count() > 0 ? options_.answer_limit : kEchoLimit);
    };
    for (std::size_t route = 0; route < routes_.of_request.size(); ++route) {
      for (std::size_t i = 0; i < places_.size(); ++i) {
        if (places_.stage(i) != routes_.of_request[route].to) continue;
        open(route, i);
      }
    }
    // Nothing is sent to the others; a connection that breaks tells at once that its worker is lost.
    for (std::size_t i = 0; i < places_.size(); ++i) {
      const bool known = std::any_of(entries.begin(), entries.end(), [&](const Entry& entry) {
        return places_.replica(entry.place).address == places_.replica(i).address;
      });
      if (!known) open(kNoRoute, i);
    }
    const std::lock_guard lock(mutex_);
    opening_.reset();
    entries_.swap(entries);  // the old ones end after the lock: their threads may be waiting for it
    places_.set_ready();
  }

  void lose_place(std::size_t index, const Error& error) {
    const Error lost = places_.note_failure(index, error);
    spdlog::error("{}", lost.what());
    events_.lost(places_.replica(index).worker, lost);
  }

  bool has_branches() const {
    return std::any_of(routes_.parts.begin(), routes_.parts.end(),
                       [](const Parts& parts) { return parts.size() > 1; });
  }

  // An answer or an error from a worker.
  void receive(Frame frame) {
    const std::uint64_t request = frame.header.request();
    if (frame.header.has_error()) {
      const v1::FrameError& error = frame.header.error();
      events_.answered(request, {{}, Error(error_code_from_string(error.code()), error.message())});
      return;
    }
    if (!events_.wanted(request)) return;
    Prediction prediction;
    try {
      if (collector_) {
        const Deadline limit(std::chrono::microseconds(frame.header.microseconds_left()));
        std::optional<PartCollector::Whole> whole = collector_->add(std::move(frame), limit);
        if (!whole) return;
        frame = std::move(whole->frame);
      }
      if (frame.tensors.size() != outputs_.size()) {
        fail(ErrorCode::internal, "the last stage sent {} outputs, expected {}", frame.tensors.size(),
             outputs_.size());
      }
      note_times(frame.header, rows_of(frame.tensors));
      // Widened here, in the thread of the last stage's stream: only answers come on it, and each would wait
      // for the one before wherever it is widened. Errors of other stages come on streams of their own.
      prediction.outputs = widen(frame.tensors);
    } catch (const Error& error) {
      prediction.error = error;
    }
    events_.answered(request, std::move(prediction));
  }

  // Of a request, from its first output; 1 where that has no batch.
  std::int64_t rows_of(const std::vector<WireTensor>& outputs) const {
    if (outputs.empty()) return 1;
    const std::int64_t of_one = element_count(at_batch(outputs_.front().type.shape, 1));
    const std::int64_t of_all = element_count(outputs.front().type.shape);
    return of_one > 0 ? std::max<std::int64_t>(of_all / of_one, 1) : 1;
  }

  void note_times(const v1::FrameHeader& header, std::int64_t rows) {
    // More rows than planned may take as many times longer.
    const double times = std::max(1.0, static_cast<double>(rows) / static_cast<double>(options_.batch));
    const int stages = std::min(header.stage_seconds_size(), header.slots_size());
    for (int i = 0; i < stages; ++i) {
      const std::uint32_t slot = header.slots(i);
      if (slot == 0 || slot > places_.size()) continue;
      const double seconds = header.stage_seconds(i);
      places_.note_run(slot - 1, seconds);
      const HeadReplica& replica = places_.replica(slot - 1);
      if (events_.ran) events_.ran(replica.worker, seconds, times * replica.expected_seconds);
    }
  }

  void send_requests() {
    std::vector<Shares> turns;
    for (const Route& route : routes_.of_request) turns.push_back(Shares::of(stages_[route.to].replicas));
    while (std::optional<Request> next = outbox_.pop()) {
      for (std::size_t route = 0; route < turns.size(); ++route) {
        if (!send_part(*next, route, turns[route].next())) break;
      }
    }
  }

  // What goes one way of a request; false where nobody waits for it any more.
  bool send_part(const Request& next, std::size_t route, std::size_t turn) {
    if (!events_.wanted(next.number)) return false;  // cancelled or late while it waited
    Entry entry;
    {
      const std::lock_guard lock(mutex_);
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
    frame.header.set_request(next.number);
    frame.header.set_microseconds_left(
        std::chrono::duration_cast<std::chrono::microseconds>(next.deadline.left()).count());
    try {
      for (const std::size_t input : way.outputs)
        frame.tensors.push_back(narrow(next.inputs[input], stages_[way.to].wire));
      entry.link->send(std::move(frame));
      return true;
    } catch (const Error& error) {
      events_.answered(next.number,
                       {{},
                        Error(error.code(), fmt::format("worker '{}': {}",
                                                        places_.replica(entry.place).worker, error.what()))});
    } catch (const std::bad_alloc&) {
      events_.answered(next.number, {{}, Error(ErrorCode::out_of_memory, "no memory to send the request")});
    }
    return false;
  }

  void tell_cancelled() {
    while (const std::optional<std::uint64_t> request = cancelled_.pop()) {
      places_.cancel(*request);
    }
  }

  void check_worker(std::size_t index) {
    const std::optional<Error> lost = places_.check(index);
    if (lost && !is_stopping()) lose_place(index, *lost);
  }

  void watch_workers() {
    std::unique_lock lock(mutex_);
    Clock::time_point next = Clock::now();
    while (!stopping_) {
      // A beat that a silent worker took whole is followed by the next at once.
      next = std::max(next + options_.heartbeat.interval, Clock::now());
      wake_watcher_.wait_until(lock, next, [this] { return stopping_; });
      if (stopping_ || entries_.empty()) continue;
      lock.unlock();
      check();
      lock.lock();
    }
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  const std::vector<Signature::End> outputs_;  // of the model
  const std::vector<HeadStage> stages_;
  const HeadOptions options_;
  const std::uint64_t pipeline_;
  AnswerPort& answers_;
  const GenerationEvents events_;
  Places places_;
  std::mutex setup_mutex_;  // held while stages are loaded and connected; taken before mutex_
  mutable std::mutex mutex_;
  std::condition_variable wake_watcher_;
  // All below is guarded by mutex_.
  std::vector<Entry> entries_;         // by route, then in the order of the replicas
  std::shared_ptr<DataLink> opening_;  // being connected now
  bool abandoned_ = false;
  bool stopping_ = false;

  const Routes routes_;
  std::optional<PartCollector> collector_;  // nothing where answers come whole
  BoundedQueue<Request> outbox_;
  BoundedQueue<std::uint64_t> cancelled_{1024};
  std::thread sender_;
  std::thread canceller_;
  std::thread watcher_;
};

Generation::Generation(const Signature& signature, std::vector<HeadStage> stages, HeadOptions options,
                       std::uint64_t pipeline, AnswerPort& answers, GenerationEvents events)
    : implementation_(std::make_unique<Implementation>(signature, std::move(stages), std::move(options),
                                                       pipeline, answers, std::move(events))) {}

Generation::~Generation() = default;

std::uint64_t Generation::pipeline() const { return implementation_->pipeline(); }
void Generation::start() { implementation_->start(); }
void Generation::connect() { implementation_->connect_unless_ready(); }
void Generation::unload() { implementation_->unload(); }
void Generation::abandon() { implementation_->abandon(); }
bool Generation::send(Request request) { return implementation_->send(std::move(request)); }
void Generation::cancel(std::uint64_t request) { implementation_->cancel(request); }
void Generation::drop(std::uint64_t request) { implementation_->drop(request); }
bool Generation::ready() const { return implementation_->ready(); }
std::string Generation::trouble() const { return implementation_->trouble(); }
std::vector<StageStatus> Generation::stages() const { return implementation_->stages(); }
void Generation::check() { implementation_->check(); }
void Generation::make_room() { implementation_->keep_only({}); }
void Generation::keep_only_this() { implementation_->keep_only({pipeline()}); }

}  // namespace lamina
