#include "deploy/worker_keeper.h"

#include "base/error.h"
#include "base/growing_pause.h"
#include "base/log.h"

#include <algorithm>
#include <exception>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{10};
// A worker that ends sooner is started again after a pause, longer each time.
constexpr std::chrono::seconds kLivesLong{10};
constexpr std::chrono::seconds kLongestPause{32};

}  // namespace

WorkerKeeper::WorkerKeeper(std::vector<LocalWorker>& workers, std::function<void()> changed)
    : workers_(workers), changed_(std::move(changed)) {
  for (const LocalWorker& worker : workers_) {
    Kept& kept = kept_[worker.name()];
    kept.address = worker.address();
    kept.pid = worker.pid();
    kept.started = Clock::now();
  }
  thread_ = std::thread([this] { run(); });
}

WorkerKeeper::~WorkerKeeper() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wake_.notify_all();
  }
  thread_.join();
}

std::string WorkerKeeper::address(const std::string& name) const {
  const std::lock_guard lock(mutex_);
  const auto found = kept_.find(name);
  return found == kept_.end() ? "" : found->second.address;
}

std::map<std::string, pid_t> WorkerKeeper::processes() const {
  const std::lock_guard lock(mutex_);
  std::map<std::string, pid_t> processes;
  for (const auto& [name, kept] : kept_) processes[name] = kept.pid;
  return processes;
}

std::string WorkerKeeper::losses(std::chrono::milliseconds limit) const {
  const Deadline deadline(limit);
  std::unique_lock lock(mutex_);
  while (true) {
    std::string lost;
    for (const auto& [name, kept] : kept_) {
      if (!kept.end.empty())
        lost += fmt::format("{}worker '{}' {}", lost.empty() ? "" : "; ", name, kept.end);
    }
    if (!lost.empty() || deadline.passed()) return lost;
    lock.unlock();
    std::this_thread::sleep_for(kPoll);
    lock.lock();
  }
}

void WorkerKeeper::run() {
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    wake_.wait_for(lock, kPoll, [this] { return stopping_; });
    if (stopping_) return;
    bool changed = false;
    for (LocalWorker& worker : workers_) {
      Kept kept = kept_.at(worker.name());
      lock.unlock();
      bool moved = false;
      try {
        moved = look_after(worker, kept);
      } catch (const std::exception& error) {
        spdlog::error("worker '{}' can't be started again: {}", worker.name(), error.what());
        kept.pid = -1;
        kept.starting = false;
        kept.start_at = Clock::now() + growing_pause(kept.failures++ + 2, kLongestPause);
      }
      lock.lock();
      kept_.at(worker.name()) = std::move(kept);
      changed = changed || moved;
    }
    if (!changed) continue;
    lock.unlock();
    changed_();
    lock.lock();
  }
}

bool WorkerKeeper::look_after(LocalWorker& worker, Kept& kept) {
  if (kept.pid > 0) {
    if (const std::optional<std::string> how = worker.end()) {
      spdlog::error("worker '{}' {}", worker.name(), *how);
      const bool soon = Clock::now() - kept.started < kLivesLong;
      kept.failures = soon ? kept.failures + 1 : 0;
      kept.end = *how;
      kept.address.clear();
      kept.pid = -1;
      kept.start_at = Clock::now() + growing_pause(kept.failures, kLongestPause);
      kept.starting = false;
      return true;
    }
    if (!kept.starting || !worker.is_ready()) return false;
    kept.starting = false;
    kept.address = worker.address();
    spdlog::info("worker '{}' runs again, after {:.3f} s", worker.name(),
                 std::chrono::duration<double>(Clock::now() - kept.started).count());
    return true;
  }
  if (Clock::now() < kept.start_at) return false;
  kept.started = Clock::now();
  worker.restart();
  kept.pid = worker.pid();
  kept.starting = true;
  return true;
}

}  // namespace lamina
