#include "cluster/generation.h"

#include "base/error.h"
#include "base/log.h"
#include "cluster/bounded_queue.h"
#include "cluster/part_collector.h"
#include "cluster/places.h"
#include "cluster/request_links.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace lamina {

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
        links_(places_, stages_, routes_, options_, pipeline_,
               {.broken = [this](std::size_t place, const Error& error) { lose_place(place, error); },
                .wanted = events_.wanted,
                .failed =
                    [this](std::uint64_t request, const Error& error) {
                      events_.answered(request, {{}, error});
                    }}) {
    if (routes_.parts.back().size() > 1) collector_.emplace(routes_.parts.back(), options_.max_in_flight);
    answers_.open(pipeline_, [this](Frame frame) { receive(std::move(frame)); });
    canceller_ = std::thread([this] { tell_cancelled(); });
    watcher_ = std::thread([this] { watch_workers(); });
  }

  ~Implementation() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_watcher_.notify_all();
    }
    links_.close();
    abandon();
    if (collector_) collector_->close();
    cancelled_.close();
    answers_.close(pipeline_);
    for (std::thread* thread : {&canceller_, &watcher_}) thread->join();
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
    links_.abandon();
  }

  void keep_only(const std::vector<std::uint64_t>& pipelines) {
    const std::lock_guard lock(setup_mutex_);
    places_.keep_only(pipelines);
  }

  // --- requests ---

  bool send(Request request) { return links_.send(std::move(request)); }

  void cancel(std::uint64_t request) {
    if (collector_) collector_->drop(request);
    cancelled_.try_push(request);
  }

  void drop(std::uint64_t request) {
    if (has_branches()) cancel(request);
  }

  // --- state ---

  bool ready() const { return links_.alive() && places_.all_ready(); }

  std::string trouble() const {
    const std::string trouble = places_.trouble();
    if (!trouble.empty()) return trouble;
    return links_.is_open() ? "a connection from the head is broken" : "it is starting";
  }

  std::vector<StageStatus> stages() const { return places_.status(); }

  void check() {
    for (std::size_t i = 0; i < places_.size() && !is_stopping(); ++i) check_worker(i);
  }

 private:
  void connect_all() {
    places_.connect(routes_, answers_.address());
    links_.open();
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
      if (stopping_ || !links_.is_open()) continue;
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
  const Routes routes_;
  std::optional<PartCollector> collector_;  // nothing where answers come whole
  BoundedQueue<std::uint64_t> cancelled_{1024};
  std::mutex setup_mutex_;  // held while stages are loaded and connected
  mutable std::mutex mutex_;
  std::condition_variable wake_watcher_;
  bool stopping_ = false;  // guarded by mutex_
  RequestLinks links_;
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
