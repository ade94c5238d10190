// Workers as processes of this machine, with real limits.
#pragma once

#include "cluster/security.h"
#include "deploy/cgroup.h"
#include "deploy/process.h"
#include "profile/benchmark.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <sys/types.h>

namespace lamina {

// Less memory than this is limited by a control group. From here on by RLIMIT_DATA, which needs no rights and
// where running out is an error that the worker lives to report, but which counts what is reserved:
// libraries, stacks and buffers come to a quarter of this before there is any stage.
constexpr std::uint64_t kLeastReservedMemory = 256U << 20U;

struct LocalWorkerOptions {
  DeviceInfo device;                // name, threads, cpus and memory
  std::filesystem::path directory;  // its store and its log go there
  std::filesystem::path program;    // empty: this program
  std::string engine = "openvino";
  TlsFiles tls;
  // An attached worker ends with this process; a detached one goes on.
  bool attached = true;
  std::size_t first_cpu = 0;  // its threads get this CPU and those after it, counted round
};

// Starts `lamina worker` limited to `memory` bytes (RLIMIT_DATA, where memory that files back does not count,
// or a control group) and to a share of `cpus` of all CPUs (a control group) or else to `threads` CPUs
// (affinity). Ends it in the destructor unless released. Not thread-safe.
class LocalWorker {
 public:
  // Error(unsupported) where it needs a control group and none may be made.
  explicit LocalWorker(LocalWorkerOptions options);
  ~LocalWorker();
  LocalWorker(LocalWorker&& other) noexcept;
  LocalWorker& operator=(LocalWorker&&) = delete;

  // Waits for it to listen and returns host:port. Error(unavailable) with its exit status and the end of its
  // log when it dies first, Error(deadline_exceeded) when it takes longer than `limit`.
  const std::string& wait_until_ready(std::chrono::milliseconds limit);

  // Whether it listens by now; address() then says where.
  bool is_ready();

  // Ends it, if it has not ended by itself, and starts it anew: wait_until_ready() comes next. Says how it
  // ended.
  std::string restart();

  // How it ended, nothing while it runs.
  std::optional<std::string> end() const;

  const std::string& name() const { return options_.device.name; }
  const std::string& address() const { return address_; }
  pid_t pid() const { return pid_; }
  // It stays behind when this object goes.
  void release() { released_ = true; }

 private:
  void start();
  std::string describe_end(int status) const;

  LocalWorkerOptions options_;
  std::unique_ptr<Cgroup> group_;  // none without limits that need one
  pid_t pid_ = -1;
  bool released_ = false;
  std::string address_;
};

}  // namespace lamina
