// Control groups of Linux: a share of the processors and a limit on memory that the kernel keeps for a
// process and its children. https://docs.kernel.org/admin-guide/cgroup-v2.html, …/cgroup-v1/,
// …/scheduler/sched-bwc.html
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

struct CgroupLimits {
  double cpus = 0;  // seconds of processor time a second, all threads together; 0: no limit
  std::uint64_t memory =
      0;  // bytes; pages of files count too, but are dropped before anything fails; 0: no limit
};

// The directory of the group that a process is in.
struct CgroupDirectory {
  int version = 0;              // 1 or 2
  std::filesystem::path root;   // where the file system is mounted
  std::filesystem::path group;  // in `root`
};

// Where the groups of a controller ("cpu", "memory") are, after /proc/self/mountinfo and /proc/self/cgroup.
// Error(unsupported) when no file system with the controller is mounted.
CgroupDirectory find_cgroup(std::string_view controller, std::string_view mounts,
                            std::string_view membership);

// A group of its own for one process, beneath the group of this process, or beside it where version 2 wants
// that. Removed by the destructor, unless the process still runs. Constructing one also removes what
// processes left behind that were killed: groups of ours that are empty and whose maker has ended. Not
// thread-safe.
class Cgroup {
 public:
  // Error(unsupported) names the directory where none may be made, and what to do.
  explicit Cgroup(const CgroupLimits& limits);
  ~Cgroup();
  Cgroup(const Cgroup&) = delete;
  Cgroup& operator=(const Cgroup&) = delete;

  // Moves the calling process into the group: for a child, before it takes any memory. Only system calls, so
  // that it may stand between fork and exec. False where the kernel refuses.
  bool enter() const noexcept;

  // The kernel ended a process of the group because its memory was used up.
  bool ran_out_of_memory() const;

  // One, or with version 1 one for each limit.
  const std::vector<std::filesystem::path>& directories() const { return directories_; }

 private:
  void limit_cpus(const std::filesystem::path& directory, int version, double cpus);
  void limit_memory(const std::filesystem::path& directory, int version, std::uint64_t bytes);
  std::filesystem::path make_group(const CgroupDirectory& place, const std::vector<std::string>& controllers);
  void remove() noexcept;

  std::vector<std::filesystem::path> directories_;
  std::vector<std::string> entrances_;   // their cgroup.procs
  std::filesystem::path memory_events_;  // the file that counts who was ended; empty without a limit
};

}  // namespace lamina
