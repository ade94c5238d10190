// Workers as processes of this machine, with real limits.
#pragma once

#include "cluster/security.h"
#include "profile/benchmark.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lamina {

struct LocalWorkerOptions {
  DeviceInfo device;                // name, threads and memory
  std::filesystem::path directory;  // its store and its log go there
  std::filesystem::path program;    // empty: this program
  std::string engine = "openvino";
  TlsFiles tls;
  // An attached worker ends with this process; a detached one goes on.
  bool attached = true;
  std::size_t first_cpu = 0;  // its threads get this CPU and those after it, counted round
};

// Starts `lamina worker` limited to `threads` CPUs (affinity) and `memory` bytes of data (RLIMIT_DATA: memory
// that files back does not count). Ends it in the destructor unless released. Not thread-safe.
class LocalWorker {
 public:
  explicit LocalWorker(LocalWorkerOptions options);
  ~LocalWorker();
  LocalWorker(LocalWorker&& other) noexcept;
  LocalWorker& operator=(LocalWorker&&) = delete;

  // Waits for it to listen and returns host:port. Error(unavailable) with its exit status and the end of its
  // log when it dies first, Error(deadline_exceeded) when it takes longer than `limit`.
  const std::string& wait_until_ready(std::chrono::milliseconds limit);

  // Ends it, if it has not ended by itself, and starts it anew: wait_until_ready() comes next. Says how it
  // ended.
  std::string restart();

  const std::string& name() const { return options_.device.name; }
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  // It stays behind when this object goes.
  void release() { released_ = true; }

 private:
  void start();
  std::string describe_end(int status) const;

  LocalWorkerOptions options_;
  pid_t pid_ = -1;
  bool released_ = false;
  std::string address_;
};

// Asks a process to end and waits, then kills it. For children and others; never throws.
void end_process(pid_t pid, std::chrono::milliseconds limit);

// When a process began, in clock ticks since boot (field 22 of /proc/PID/stat), 0 if there is none: two
// processes of one number differ in it.
std::uint64_t process_start_time(pid_t pid);

}  // namespace lamina
