// An orchestrator for tests that stands for a pipeline: computes rows, takes its time, fails on demand, and
// notes what it was asked.
#pragma once

#include "base/clock.h"
#include "cluster/orchestrator.h"

#include <algorithm>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace lamina {

// What `answer` makes of the inputs of a request comes after `delay`, but not while `hold` is set. Keeps the
// promises of an Orchestrator: one answer to each request, by its deadline, and soon after a cancel.
class ScriptedOrchestrator : public Orchestrator {
 public:
  struct Asked {
    std::uint64_t number = 0;
    std::vector<Tensor> inputs;
    Clock::time_point time;
    Clock::time_point deadline;
  };
  using Answer = std::function<std::vector<Tensor>(const std::vector<Tensor>&)>;

  // Answers on so many threads. `answer` throws the errors it likes.
  ScriptedOrchestrator(Signature signature, Answer answer, int threads = 1)
      : signature_(std::move(signature)), answer_(std::move(answer)) {
    for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { work(); });
  }
  ~ScriptedOrchestrator() override {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      changed_.notify_all();
    }
    for (std::thread& thread : threads_) thread.join();
  }
  ScriptedOrchestrator(const ScriptedOrchestrator&) = delete;
  ScriptedOrchestrator& operator=(const ScriptedOrchestrator&) = delete;

  void hold(bool held) {
    const std::lock_guard lock(mutex_);
    hold_ = held;
    changed_.notify_all();
  }
  // The time a request takes, given its number.
  void delay(std::function<Clock::duration(std::uint64_t)> of) {
    const std::lock_guard lock(mutex_);
    delay_ = std::move(of);
  }
  // Waits until so many requests came; false after ten seconds.
  bool wait_asked(std::size_t count) {
    return wait([&] { return asked_.size() >= count; });
  }
  bool wait_cancelled(std::uint64_t number) {
    return wait([&] { return cancelled_.contains(number); });
  }
  std::vector<Asked> asked() const {
    const std::lock_guard lock(mutex_);
    return asked_;
  }
  std::vector<std::int64_t> batches() const {
    std::vector<std::int64_t> sizes;
    for (const Asked& request : asked()) sizes.push_back(request.inputs.at(0).shape().at(0));
    return sizes;
  }

  const Signature& signature() const override { return signature_; }

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override {
    const std::lock_guard lock(mutex_);
    const std::uint64_t number = asked_.size() + 1;
    asked_.push_back({number, inputs, Clock::now(), deadline.time()});
    queue_.push_back({number, std::move(inputs), deadline, std::move(done)});
    changed_.notify_all();
    return number;
  }

  void cancel(std::uint64_t number) override {
    const std::lock_guard lock(mutex_);
    cancelled_.insert(number);
    changed_.notify_all();
  }

  PipelineStatus connect() override { return status(); }
  PipelineStatus activate() override { return status(); }
  PipelineStatus check() override { return status(); }
  PipelineStatus status() const override {
    PipelineStatus status;
    status.model = "scripted";
    status.requests_answered = asked().size();
    return status;
  }

 private:
  struct Queued {
    std::uint64_t number = 0;
    std::vector<Tensor> inputs;
    Deadline deadline;
    Callback done;
  };

  template <typename Condition>
  bool wait(Condition condition) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), condition);
  }

  void work() {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
      if (queue_.empty()) return;
      Queued next = std::move(queue_.front());
      queue_.pop_front();
      const auto over = [&] { return stopping_ || cancelled_.contains(next.number); };
      const Clock::time_point end = std::min(next.deadline.time(), Clock::now() + delay_(next.number));
      changed_.wait_until(lock, end, over);
      changed_.wait_until(lock, next.deadline.time(), [&] { return over() || !hold_; });
      const bool cancelled = cancelled_.contains(next.number);
      lock.unlock();
      next.done(cancelled ? Prediction{{}, Error(ErrorCode::cancelled, "the batch was cancelled")}
                          : predict_now(next));
      lock.lock();
    }
  }

  Prediction predict_now(const Queued& request) {
    if (request.deadline.passed()) return {{}, Error(ErrorCode::deadline_exceeded, "the batch was late")};
    try {
      return {answer_(request.inputs), std::nullopt};
    } catch (const Error& error) {
      return {{}, error};
    }
  }

  const Signature signature_;
  const Answer answer_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Queued> queue_;
  std::vector<Asked> asked_;
  std::set<std::uint64_t> cancelled_;
  std::function<Clock::duration(std::uint64_t)> delay_ = [](std::uint64_t) { return Clock::duration{}; };
  bool hold_ = false;
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace lamina
