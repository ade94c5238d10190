#include "cluster/batcher.h"

#include "base/error.h"
#include "cluster/batch_queue.h"
#include "cluster/batch_sizes.h"
#include "cluster/joining.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <thread>
#include <utility>

namespace lamina {

namespace {

constexpr const char* kShutDown = "the pipeline is shut down";

// Copies of an Error share its text; each request, which may end on a thread of its own, gets one to itself.
Prediction failed(ErrorCode code, const std::string& message) { return {{}, Error(code, message)}; }

void check_options(const BatcherOptions& options) {
  // The bound keeps sums of rows and powers of two far from overflow.
  constexpr std::int64_t kMostRows = std::int64_t{1} << 32;
  if (options.max_batch < 1 || options.max_batch > kMostRows) {
    fail(ErrorCode::invalid_argument, "the limit of a batch is {}, expected 1 to {}", options.max_batch,
         kMostRows);
  }
  if (options.window < options.window.zero() || options.window > std::chrono::hours(1)) {
    fail(ErrorCode::invalid_argument, "the window of a batch is {} µs, expected 0 to an hour",
         options.window.count());
  }
}

}  // namespace

// Shared with the callbacks of batches under way, which may outlive the Batcher.
class Batcher::Core : public std::enable_shared_from_this<Core> {
 public:
  Core(Orchestrator& wrapped, const BatcherOptions& options)
      : wrapped_(wrapped),
        signature_(wrapped.signature()),
        options_(options),
        waiting_(options.max_batch),
        sizes_(no_batches(options.max_batch)) {}

  void start() {
    sender_ = std::thread([this] { send_batches(); });
    messenger_ = std::thread([this] { end_requests(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      while (!requests_.empty()) end(requests_.begin()->first, ErrorCode::cancelled, kShutDown);
      wake_sender_.notify_all();
    }
    sender_.join();
    messenger_.join();
  }

  const Signature& signature() const { return signature_; }
  Orchestrator& wrapped() const { return wrapped_; }

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
    try {
      const std::int64_t rows = check_inputs(signature_, inputs);
      const Clock::duration wait = std::min<Clock::duration>(options_.window, deadline.left() / 2);
      const std::lock_guard lock(mutex_);
      if (stopping_) fail(ErrorCode::cancelled, "{}", kShutDown);
      if (requests_.size() >= options_.max_in_flight) {
        fail(ErrorCode::resource_exhausted, "{} requests are under way, no more are taken", requests_.size());
      }
      const std::uint64_t number = next_request_++;
      requests_.emplace(number, Request{std::move(done), deadline, rows, std::move(inputs), 0});
      waiting_.add(number, rows, Clock::now() + wait);
      const auto place = deadlines_.emplace(deadline.time(), number).first;
      if (place == deadlines_.begin()) wake_messenger_.notify_all();
      wake_sender_.notify_all();
      return number;
    } catch (const Error& error) {
      // Answers come from another thread, refusals too.
      const std::lock_guard lock(mutex_);
      ++failed_;
      ended_.emplace_back(std::move(done), failed(error.code(), error.what()));
      wake_messenger_.notify_all();
      return 0;
    }
  }

  void cancel(std::uint64_t number) {
    const std::lock_guard lock(mutex_);
    if (requests_.contains(number)) end(number, ErrorCode::cancelled, "the request was cancelled");
  }

  PipelineStatus with_counts(PipelineStatus status) const {
    const std::lock_guard lock(mutex_);
    status.requests_in_flight = requests_.size();
    status.requests_answered = answered_;
    status.requests_failed = failed_;
    status.batch_sizes = sizes_;
    return status;
  }

 private:
  struct Request {
    Callback done;
    Deadline deadline;
    std::int64_t rows = 0;
    std::vector<Tensor> inputs;  // until it leaves
    std::uint64_t batch = 0;     // it left with; 0 while it waits
  };
  struct Batch {
    std::vector<std::uint64_t> requests;
    std::vector<std::int64_t> rows;  // of each
    std::size_t unanswered = 0;
    std::uint64_t wrapped = 0;  // its number in the wrapped orchestrator; 0 until it was sent
  };

  // Takes a request off all lists; its batch is cancelled when it was the last of it.
  Callback take(std::uint64_t number) {
    const auto found = requests_.find(number);
    Request& request = found->second;
    Callback done = std::move(request.done);
    deadlines_.erase({request.deadline.time(), number});
    waiting_.remove(number);
    const auto batch = batches_.find(request.batch);
    if (batch != batches_.end() && --batch->second.unanswered == 0 && batch->second.wrapped != 0) {
      abandoned_.push_back(batch->second.wrapped);
    }
    requests_.erase(found);
    return done;
  }

  // Leaves a request that has ended without an answer to the messenger.
  void end(std::uint64_t number, ErrorCode code, const char* why) {
    ++failed_;
    ended_.emplace_back(take(number), failed(code, why));
    wake_messenger_.notify_all();
  }

  void send_batches() {
    std::unique_lock lock(mutex_);
    while (!stopping_) {
      if (waiting_.empty()) {
        wake_sender_.wait(lock);
        continue;
      }
      const BatchQueue::Batch next = waiting_.next();
      if (next.full || batches_.empty() || Clock::now() >= next.leave_by) {
        send(next.requests, lock);
      } else {
        wake_sender_.wait_until(lock, next.leave_by);
      }
    }
    sending_ = false;
    wake_messenger_.notify_all();
  }

  // Lets go of the lock meanwhile.
  void send(const std::vector<std::uint64_t>& numbers, std::unique_lock<std::mutex>& lock) {
    const std::uint64_t number = next_batch_++;
    Batch& batch = batches_[number];
    batch.requests = numbers;
    batch.unanswered = numbers.size();
    std::vector<std::vector<Tensor>> inputs;
    Deadline deadline = requests_.at(numbers.front()).deadline;
    std::int64_t rows = 0;
    for (const std::uint64_t member : numbers) {
      Request& request = requests_.at(member);
      request.batch = number;
      waiting_.remove(member);
      batch.rows.push_back(request.rows);
      inputs.push_back(std::move(request.inputs));
      if (request.deadline.time() > deadline.time()) deadline = request.deadline;
      rows += request.rows;
    }
    count_batch(sizes_, rows);
    lock.unlock();
    try {
      if (inputs.size() > 1) inputs = {join_requests(inputs)};
    } catch (const std::bad_alloc&) {
      receive(number, failed(ErrorCode::out_of_memory, fmt::format("no memory to join {} rows", rows)));
      lock.lock();
      return;
    }
    const std::uint64_t wrapped = wrapped_.predict(
        std::move(inputs.front()), deadline,
        [self = shared_from_this(), number](Prediction answer) { self->receive(number, std::move(answer)); });
    lock.lock();
    const auto sent = batches_.find(number);
    if (sent == batches_.end()) return;  // answered already
    sent->second.wrapped = wrapped;
    if (sent->second.unanswered > 0) return;
    abandoned_.push_back(wrapped);  // all of it ended meanwhile
    wake_messenger_.notify_all();
  }

  // The answer to a batch.
  void receive(std::uint64_t number, Prediction answer) {
    Batch batch;
    {
      const std::lock_guard lock(mutex_);
      const auto found = batches_.find(number);
      batch = std::move(found->second);
      batches_.erase(found);
      wake_sender_.notify_all();
    }
    std::vector<Prediction> answers(batch.requests.size());
    try {
      if (answer.error) throw Error(*answer.error);
      if (answers.size() == 1) {
        answers.front() = std::move(answer);
      } else {
        std::vector<std::vector<Tensor>> split = split_outputs(signature_, answer.outputs, batch.rows);
        for (std::size_t i = 0; i < split.size(); ++i) answers[i].outputs = std::move(split[i]);
      }
    } catch (const Error& error) {
      for (Prediction& each : answers) each = failed(error.code(), error.what());
    }
    for (std::size_t i = 0; i < answers.size(); ++i) call_back(batch.requests[i], std::move(answers[i]));
  }

  void call_back(std::uint64_t number, Prediction answer) {
    Callback done;
    {
      const std::lock_guard lock(mutex_);
      if (!requests_.contains(number)) return;  // it ended before
      ++(answer.error ? failed_ : answered_);
      done = take(number);
      ++callbacks_;
    }
    done(std::move(answer));
    done = nullptr;
    const std::lock_guard lock(mutex_);
    --callbacks_;
    if (stopping_) wake_messenger_.notify_all();
  }

  // Ends requests at their deadline, tells of all that ended without an answer, and cancels batches. Returns
  // when nothing calls back any more.
  void end_requests() {
    std::unique_lock lock(mutex_);
    while (true) {
      const Clock::time_point now = Clock::now();
      while (!deadlines_.empty() && deadlines_.begin()->first <= now) {
        end(deadlines_.begin()->second, ErrorCode::deadline_exceeded,
            "no answer came within the request's time limit");
      }
      if (!ended_.empty() || !abandoned_.empty()) {
        auto ended = std::exchange(ended_, {});
        const auto abandoned = std::exchange(abandoned_, {});
        lock.unlock();
        for (auto& [done, why] : ended) done(std::move(why));
        ended.clear();
        for (const std::uint64_t batch : abandoned) wrapped_.cancel(batch);
        lock.lock();
      } else if (!sending_ && callbacks_ == 0) {
        return;
      } else if (deadlines_.empty()) {
        wake_messenger_.wait(lock);
      } else {
        // By value: the request it belongs to may be answered, and gone, during the wait.
        const Clock::time_point next = deadlines_.begin()->first;
        wake_messenger_.wait_until(lock, next);
      }
    }
  }

  Orchestrator& wrapped_;
  const Signature signature_;
  const BatcherOptions options_;
  mutable std::mutex mutex_;
  std::condition_variable wake_sender_;
  std::condition_variable wake_messenger_;
  // All below is guarded by mutex_.
  std::map<std::uint64_t, Request> requests_;  // neither answered nor ended
  BatchQueue waiting_;                         // those of them that have not left
  std::set<std::pair<Clock::time_point, std::uint64_t>> deadlines_;
  std::map<std::uint64_t, Batch> batches_;              // under way
  std::vector<std::pair<Callback, Prediction>> ended_;  // to be told by the messenger
  std::vector<std::uint64_t> abandoned_;                // batches to be cancelled in the wrapped orchestrator
  std::uint64_t next_request_ = 1;
  std::uint64_t next_batch_ = 1;
  std::uint64_t answered_ = 0;
  std::uint64_t failed_ = 0;
  std::size_t callbacks_ = 0;  // that run now on threads of the wrapped orchestrator
  BatchSizes sizes_;
  bool stopping_ = false;
  bool sending_ = true;  // until the sender has ended

  std::thread sender_;
  std::thread messenger_;
};

Batcher::Batcher(Orchestrator& wrapped, const BatcherOptions& options) {
  check_options(options);
  check_joinable(wrapped.signature());
  core_ = std::make_shared<Core>(wrapped, options);
  core_->start();
}

Batcher::~Batcher() { core_->stop(); }

const Signature& Batcher::signature() const { return core_->signature(); }

std::uint64_t Batcher::predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
  return core_->predict(std::move(inputs), deadline, std::move(done));
}

void Batcher::cancel(std::uint64_t request) { core_->cancel(request); }

PipelineStatus Batcher::connect() { return core_->with_counts(core_->wrapped().connect()); }

PipelineStatus Batcher::activate() { return core_->with_counts(core_->wrapped().activate()); }

PipelineStatus Batcher::status() const { return core_->with_counts(core_->wrapped().status()); }

PipelineStatus Batcher::check() { return core_->with_counts(core_->wrapped().check()); }

}  // namespace lamina
