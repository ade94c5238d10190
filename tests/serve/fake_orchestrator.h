// An orchestrator whose answers, delays and states a test decides.
#pragma once

#include "base/clock.h"
#include "cluster/orchestrator.h"

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <set>
#include <thread>
#include <utility>
#include <vector>

namespace lamina {

// Answers each request on a thread of its own by calling `answer`, or keeps it until release_all().
class FakeOrchestrator : public Orchestrator {
 public:
  explicit FakeOrchestrator(Signature signature) : signature_(std::move(signature)) {}
  ~FakeOrchestrator() override {
    release_all();
    for (std::thread& thread : threads_) thread.join();
  }

  const Signature& signature() const override { return signature_; }

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override {
    const std::scoped_lock lock(mutex_);
    const std::uint64_t id = ++next_;
    last_deadline = deadline.left();
    if (hold) {
      held_[id] = {std::move(inputs), std::move(done)};
      changed_.notify_all();
    } else {
      threads_.emplace_back(
          [this, inputs = std::move(inputs), done = std::move(done)] { done(run(inputs)); });
    }
    return id;
  }

  void cancel(std::uint64_t request) override {
    const std::scoped_lock lock(mutex_);
    cancelled.insert(request);
    changed_.notify_all();
    const auto found = held_.find(request);
    if (found == held_.end() || deaf_to_cancel) return;
    threads_.emplace_back([done = std::move(found->second.second)] {
      done({{}, Error(ErrorCode::cancelled, "the client went away")});
    });
    held_.erase(found);
  }

  PipelineStatus connect() override {
    const std::scoped_lock lock(mutex_);
    return state;
  }
  PipelineStatus activate() override {
    const std::scoped_lock lock(mutex_);
    if (on_activate) on_activate(state);
    return state;
  }
  PipelineStatus status() const override {
    const std::scoped_lock lock(mutex_);
    return state;
  }
  PipelineStatus check() override {
    const std::scoped_lock lock(mutex_);
    return state;
  }

  // Waits until `count` requests are held; false after ten seconds.
  bool wait_held(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return held_.size() >= count; });
  }
  bool wait_cancelled(std::size_t count) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, std::chrono::seconds(10), [&] { return cancelled.size() >= count; });
  }
  // Answers what is held, the latest request first.
  void release_all() {
    std::map<std::uint64_t, std::pair<std::vector<Tensor>, Callback>> held;
    {
      const std::scoped_lock lock(mutex_);
      held.swap(held_);
      hold = false;
    }
    for (auto entry = held.rbegin(); entry != held.rend(); ++entry) {
      entry->second.second(run(entry->second.first));
    }
  }
  void set_state(const std::function<void(PipelineStatus&)>& change) {
    const std::scoped_lock lock(mutex_);
    change(state);
  }

  // Set before the server starts, or state by set_state().
  std::function<std::vector<Tensor>(const std::vector<Tensor>&)> answer;
  std::function<void(PipelineStatus&)> on_activate;
  bool hold = false;
  bool deaf_to_cancel = false;  // breaks the promise that cancelling answers
  PipelineStatus state;
  std::set<std::uint64_t> cancelled;
  Clock::duration last_deadline{};

 private:
  Prediction run(const std::vector<Tensor>& inputs) {
    try {
      return {answer(inputs), std::nullopt};
    } catch (const Error& error) {
      return {{}, error};
    }
  }

  const Signature signature_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t next_ = 0;
  std::map<std::uint64_t, std::pair<std::vector<Tensor>, Callback>> held_;
  std::vector<std::thread> threads_;
};

// float32 (batch, 2, 3) named "x" to float32 (batch, 3) named "y".
inline Signature one_to_one() {
  return {{{"x", {DType::f32, {kBatch, 2, 3}}}}, {{"y", {DType::f32, {kBatch, 3}}}}};
}

// Two ready stages on two workers.
inline PipelineStatus two_stages() {
  PipelineStatus status;
  status.model = "toy";
  status.predicted_latency = 0.004;
  status.stages.resize(2);
  status.stages[0] = {"conv1 … pool1",  "vm4", "127.0.0.1:7001", 1 << 20, 0.001, 0.0012, true, true,
                      "127.0.0.1:7002", ""};
  status.stages[1] = {"dense1", "pc5", "127.0.0.1:7002", 2 << 20, 0.002, 0.0021, true, true, "head", ""};
  return status;
}

// The sum over the axis of size 2, what one_to_one()'s model computes.
inline std::vector<Tensor> sum_rows(const std::vector<Tensor>& inputs) {
  const std::vector<float> x = inputs.at(0).to_floats();
  const std::int64_t batch = inputs[0].shape()[0];
  std::vector<float> y;
  for (std::int64_t b = 0; b < batch; ++b) {
    for (int c = 0; c < 3; ++c) y.push_back(x[b * 6 + c] + x[b * 6 + 3 + c]);
  }
  return {Tensor::of({batch, 3}, y)};
}

}  // namespace lamina
