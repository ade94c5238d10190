// Starts local workers again that end, for as long as a deployment lives.
#pragma once

#include "base/clock.h"
#include "deploy/local_worker.h"

#include <chrono>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include <sys/types.h>

namespace lamina {

// Thread-safe. Nobody else may use the workers meanwhile. They may end when this does, since those that it
// started are bound to its thread.
class WorkerKeeper {
 public:
  // `changed` is called, from a thread of this object, when one was started again. `workers` are ready, and
  // outlive it.
  WorkerKeeper(std::vector<LocalWorker>& workers, std::function<void()> changed);
  ~WorkerKeeper();
  WorkerKeeper(const WorkerKeeper&) = delete;
  WorkerKeeper& operator=(const WorkerKeeper&) = delete;

  // host:port of a worker that is running; empty while there is none or it is starting.
  std::string address(const std::string& name) const;
  std::map<std::string, pid_t> processes() const;
  // How workers ended, those that did; empty when none has after `limit`: a connection breaks before its
  // process is seen to have ended.
  std::string losses(std::chrono::milliseconds limit) const;

 private:
  struct Kept {
    std::string address;
    pid_t pid = -1;
    std::string end;
    int failures = 0;  // ends soon after a start, one after another
    Clock::time_point started = {};
    Clock::time_point start_at = {};  // not before
    bool starting = false;
  };

  void run();
  // Whether its address or process changed.
  bool look_after(LocalWorker& worker, Kept& kept);

  std::vector<LocalWorker>& workers_;
  const std::function<void()> changed_;
  mutable std::mutex mutex_;
  std::condition_variable wake_;
  std::map<std::string, Kept> kept_;  // guarded by mutex_
  bool stopping_ = false;             // guarded by mutex_
  std::thread thread_;
};

}  // namespace lamina
