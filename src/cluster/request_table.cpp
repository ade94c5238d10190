#include "cluster/request_table.h"

#include "base/error.h"

#include <algorithm>
#include <chrono>

namespace lamina {

RequestTable::RequestTable(std::size_t capacity, std::function<void(std::uint64_t)> dropped)
    : capacity_(capacity), dropped_(std::move(dropped)), timer_([this] { watch_deadlines(); }) {}

RequestTable::~RequestTable() {
  close();
  fail_all(Error(ErrorCode::cancelled, "the pipeline is shut down"));
  // Those that were refused after close().
  for (const auto& [done, error] : refused_) done({{}, error});
}

void RequestTable::close() {
  {
    const std::lock_guard lock(mutex_);
    closed_ = true;
    wake_.notify_all();
  }
  if (timer_.joinable()) timer_.join();
}

Request RequestTable::add(std::vector<Tensor> inputs, Deadline deadline, const Callback& done) {
  const std::lock_guard lock(mutex_);
  if (entries_.size() >= capacity_) {
    fail(ErrorCode::resource_exhausted, "{} requests are under way, no more are taken", entries_.size());
  }
  const std::uint64_t number = next_++;
  entries_.emplace(number, Entry{inputs, deadline, done, 0, 0});
  wake_.notify_all();
  return {number, std::move(inputs), deadline};
}

void RequestTable::refuse(Callback done, const Error& error) {
  const std::lock_guard lock(mutex_);
  ++failed_;
  refused_.emplace_back(std::move(done), error);
  wake_.notify_all();
}

bool RequestTable::finish(std::uint64_t number, const std::uint64_t* pipeline, Prediction prediction) {
  Callback done;
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(number);
    if (found == entries_.end() || (pipeline != nullptr && found->second.pipeline != *pipeline)) return false;
    done = std::move(found->second.done);
    entries_.erase(found);
    ++(prediction.error ? failed_ : answered_);
  }
  done(std::move(prediction));
  return true;
}

bool RequestTable::answer(std::uint64_t number, Prediction prediction) {
  return finish(number, nullptr, std::move(prediction));
}

bool RequestTable::answer_from(std::uint64_t pipeline, std::uint64_t number, Prediction prediction) {
  return finish(number, &pipeline, std::move(prediction));
}

void RequestTable::fail_all(const Error& error) {
  for (const std::uint64_t number : numbers()) answer(number, {{}, error});
}

bool RequestTable::contains(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return entries_.contains(number);
}

std::optional<Request> RequestTable::hand_to(std::uint64_t pipeline, std::uint64_t number) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  if (found == entries_.end() || found->second.pipeline == pipeline) return std::nullopt;
  found->second.pipeline = pipeline;
  ++found->second.turns;
  return Request{number, found->second.inputs, found->second.deadline};
}

bool RequestTable::is_with(std::uint64_t pipeline, std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  return found != entries_.end() && found->second.pipeline == pipeline;
}

std::size_t RequestTable::count_with(std::uint64_t pipeline) const {
  const std::lock_guard lock(mutex_);
  return static_cast<std::size_t>(std::count_if(
      entries_.begin(), entries_.end(), [&](const auto& one) { return one.second.pipeline == pipeline; }));
}

int RequestTable::turns(std::uint64_t number) const {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(number);
  return found == entries_.end() ? 0 : found->second.turns;
}

std::vector<std::uint64_t> RequestTable::numbers() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::uint64_t> numbers;
  for (const auto& [number, entry] : entries_) numbers.push_back(number);
  return numbers;
}

void RequestTable::count(PipelineStatus& status) const {
  const std::lock_guard lock(mutex_);
  status.requests_in_flight = entries_.size();
  status.requests_answered = answered_;
  status.requests_failed = failed_;
}

void RequestTable::watch_deadlines() {
  std::unique_lock lock(mutex_);
  while (!closed_ || !refused_.empty()) {
    const auto refused = std::exchange(refused_, {});
    std::vector<std::uint64_t> late;
    auto next = Clock::now() + std::chrono::hours(1);
    for (const auto& [number, entry] : entries_) {
      if (entry.deadline.passed()) {
        late.push_back(number);
      } else {
        next = std::min(next, entry.deadline.time());
      }
    }
    if (refused.empty() && (late.empty() || closed_)) {
      wake_.wait_until(lock, next);
      continue;
    }
    lock.unlock();
    for (const auto& [done, error] : refused) done({{}, error});
    for (const std::uint64_t number : late) {
      const Error error(ErrorCode::deadline_exceeded, "no answer came within the request's time limit");
      if (answer(number, {{}, error})) dropped_(number);
    }
    lock.lock();
  }
}

}  // namespace lamina
