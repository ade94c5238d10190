#include "deploy/cgroup.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "deploy/process.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <sstream>

#include <fcntl.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr std::string_view kPrefix = "lamina-";
constexpr std::uint64_t kMaxTable = 1U << 20U;
// A short period keeps the pauses of a process that has used up its share short, and grants little at full
// speed to one that was idle. Below, a share is less than the kernel's tick and no longer kept
// (docs/decisions/0006-limits-of-local-workers.md).
constexpr double kPeriod = 10'000;      // microseconds
constexpr double kLeastQuota = 1'000;   // the kernel's
constexpr double kLongestPeriod = 1e6;  // the kernel's
constexpr std::chrono::milliseconds kRemoveLimit{500};
constexpr std::chrono::milliseconds kRemovePoll{5};

std::vector<std::string> split(std::string_view text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream{std::string(text)};
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

std::vector<std::string> split_words(std::string_view text) {
  std::istringstream stream{std::string(text)};
  std::vector<std::string> words;
  for (std::string word; stream >> word;) words.push_back(word);
  return words;
}

bool contains(const std::vector<std::string>& list, std::string_view word) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

// A line of mountinfo: ID PARENT MAJOR:MINOR ROOT POINT OPTIONS [TAGS…] - TYPE SOURCE SUPER_OPTIONS
// (proc(5)).
struct Mount {
  std::string root;
  std::string point;
  std::string type;
  std::vector<std::string> options;
};

std::vector<Mount> cgroup_mounts(std::string_view text) {
  std::vector<Mount> mounts;
  for (const std::string& line : split(text, '\n')) {
    const std::vector<std::string> words = split_words(line);
    const auto dash = std::find(words.begin(), words.end(), "-");
    if (words.size() < 6 || words.end() - dash < 4) continue;
    if (dash[1] != "cgroup" && dash[1] != "cgroup2") continue;
    mounts.push_back({words[3], words[4], dash[1], split(dash[3], ',')});
  }
  return mounts;
}

// The path of a line of /proc/PID/cgroup, ID:CONTROLLERS:PATH; version 2 names no controllers.
std::optional<std::string> membership_of(std::string_view controller, std::string_view text) {
  for (const std::string& line : split(text, '\n')) {
    const std::size_t first = line.find(':');
    const std::size_t second = first == std::string::npos ? first : line.find(':', first + 1);
    if (second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    if (controller.empty() ? line.starts_with("0::") : contains(split(controllers, ','), controller))
      return line.substr(second + 1);
  }
  return std::nullopt;
}

// A file of the system's, which has no size until it is read.
std::string read_table(const std::filesystem::path& path) {
  std::ifstream file(path);
  std::string text(kMaxTable, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return text;
}

// The errno of writing a setting, 0 when it was taken. The files of a group exist already.
int write_setting(const std::filesystem::path& file, const std::string& value) {
  const Descriptor descriptor(::open(file.c_str(), O_WRONLY | O_CLOEXEC));
  if (descriptor.get() < 0) return errno;
  return ::write(descriptor.get(), value.data(), value.size()) < 0 ? errno : 0;
}

void set(const std::filesystem::path& file, const std::string& value) {
  const int problem = write_setting(file, value);
  if (problem == 0) return;
  fail(ErrorCode::unsupported,
       "can't limit a worker: writing '{}' to '{}': {}; is it within the limits of this process?", value,
       file.string(), std::strerror(problem));
}

// Whose maker has ended: lamina-PID-START-XXXXXX.
bool is_abandoned(const std::string& name) {
  if (!name.starts_with(kPrefix)) return false;
  const std::vector<std::string> parts = split(name, '-');
  pid_t pid = 0;
  std::uint64_t start = 0;
  const auto number = [](const std::string& text, auto& value) {
    return std::from_chars(text.data(), text.data() + text.size(), value).ptr == text.data() + text.size();
  };
  if (parts.size() != 4 || !number(parts[1], pid) || !number(parts[2], start)) return false;
  return process_start_time(pid) != start;
}

void remove_abandoned(const std::filesystem::path& parent) {
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator(parent, ignored)) {
    // Fails for one that a process is still in, as it should.
    if (is_abandoned(entry.path().filename().string())) ::rmdir(entry.path().c_str());
  }
}

// With version 2 a group has either processes or groups with limits beneath it, so that the group of this
// process mostly can't have any: the nearest one above that may, then. 0, or the errno of the last attempt.
int find_parent(const CgroupDirectory& place, const std::vector<std::string>& controllers,
                std::filesystem::path& parent) {
  int problem = 0;
  for (parent = place.group;; parent = parent.parent_path()) {
    problem = ::access((parent / "cgroup.procs").c_str(), W_OK) == 0 ? 0 : errno;
    const std::vector<std::string> enabled = split_words(read_table(parent / "cgroup.subtree_control"));
    for (const std::string& controller : controllers) {
      if (problem == 0 && !contains(enabled, controller))
        problem = write_setting(parent / "cgroup.subtree_control", "+" + controller);
    }
    if (problem == 0 || parent == place.root || parent == parent.root_path()) return problem;
  }
}

}  // namespace

CgroupDirectory find_cgroup(std::string_view controller, std::string_view mounts,
                            std::string_view membership) {
  const std::vector<Mount> found = cgroup_mounts(mounts);
  auto mount = std::find_if(found.begin(), found.end(), [&](const Mount& candidate) {
    return candidate.type == "cgroup" && contains(candidate.options, controller);
  });
  const int version = mount == found.end() ? 2 : 1;
  if (version == 2) {
    mount = std::find_if(found.begin(), found.end(),
                         [](const Mount& candidate) { return candidate.type == "cgroup2"; });
  }
  const auto path = membership_of(version == 1 ? controller : "", membership);
  if (mount == found.end() || !path) {
    fail(ErrorCode::unsupported,
         "a limit of a worker needs control groups, but none with the controller '{}' are mounted; "
         "mount them at /sys/fs/cgroup, or leave out 'cpus' and give the worker 256 MiB or more",
         controller);
  }
  CgroupDirectory directory{version, mount->point, mount->point};
  // A container may see its own group as the root of the mount.
  const std::string root = mount->root == "/" ? "" : mount->root;
  if (path->starts_with(root + "/") && !path->starts_with("/..") && path->size() > root.size() + 1)
    directory.group /= path->substr(root.size() + 1);
  return directory;
}

Cgroup::Cgroup(const CgroupLimits& limits) {
  const std::string mounts = read_table("/proc/self/mountinfo");
  const std::string membership = read_table("/proc/self/cgroup");
  std::optional<CgroupDirectory> cpu;
  std::optional<CgroupDirectory> memory;
  if (limits.cpus > 0) cpu = find_cgroup("cpu", mounts, membership);
  if (limits.memory > 0) memory = find_cgroup("memory", mounts, membership);
  try {
    std::filesystem::path both;
    if (cpu && memory && cpu->version == 2 && memory->version == 2)
      both = make_group(*cpu, {"cpu", "memory"});
    if (cpu) limit_cpus(both.empty() ? make_group(*cpu, {"cpu"}) : both, cpu->version, limits.cpus);
    if (memory) {
      limit_memory(both.empty() ? make_group(*memory, {"memory"}) : both, memory->version, limits.memory);
    }
  } catch (const Error&) {
    remove();
    throw;
  }
}

Cgroup::~Cgroup() { remove(); }

std::filesystem::path Cgroup::make_group(const CgroupDirectory& place,
                                         const std::vector<std::string>& controllers) {
  std::filesystem::path parent = place.group;
  int problem = place.version == 2 ? find_parent(place, controllers, parent) : 0;
  remove_abandoned(parent);
  std::string made =
      (parent / fmt::format("{}{}-{}-XXXXXX", kPrefix, ::getpid(), process_start_time(::getpid()))).string();
  if (problem == 0 && ::mkdtemp(made.data()) == nullptr) problem = errno;
  if (problem != 0) {
    fail(ErrorCode::unsupported,
         "can't make a control group in '{}': {}; run as root, or where the controllers are delegated "
         "(systemd-run --user --scope -p Delegate=yes lamina …), or leave out 'cpus' and give the worker 256 "
         "MiB or more",
         parent.string(), std::strerror(problem));
  }
  directories_.emplace_back(made);
  entrances_.push_back(made + "/cgroup.procs");
  return made;
}

void Cgroup::limit_cpus(const std::filesystem::path& directory, int version, double cpus) {
  const auto period = std::llround(std::clamp(kLeastQuota / cpus, kPeriod, kLongestPeriod));
  const auto quota = std::llround(std::max(kLeastQuota, static_cast<double>(period) * cpus));
  if (version == 2) {
    set(directory / "cpu.max", fmt::format("{} {}", quota, period));
    return;
  }
  set(directory / "cpu.cfs_period_us", std::to_string(period));
  set(directory / "cpu.cfs_quota_us", std::to_string(quota));
}

void Cgroup::limit_memory(const std::filesystem::path& directory, int version, std::uint64_t bytes) {
  const std::string value = std::to_string(bytes);
  set(directory / (version == 2 ? "memory.max" : "memory.limit_in_bytes"), value);
  // No way out into swap either, where the kernel counts that.
  const std::filesystem::path swap =
      directory / (version == 2 ? "memory.swap.max" : "memory.memsw.limit_in_bytes");
  if (std::filesystem::exists(swap)) set(swap, version == 2 ? "0" : value);
  memory_events_ = directory / (version == 2 ? "memory.events" : "memory.oom_control");
}

bool Cgroup::enter() const noexcept {
  for (const std::string& entrance : entrances_) {
    const int file = ::open(entrance.c_str(), O_WRONLY | O_CLOEXEC);
    if (file < 0) return false;
    const bool entered = ::write(file, "0", 1) == 1;  // 0: who writes
    ::close(file);
    if (!entered) return false;
  }
  return true;
}

bool Cgroup::ran_out_of_memory() const {
  if (memory_events_.empty()) return false;
  for (const std::string& line : split(read_table(memory_events_), '\n')) {
    if (line.starts_with("oom_kill ")) return line != "oom_kill 0";
  }
  return false;
}

void Cgroup::remove() noexcept {
  for (const std::filesystem::path& directory : directories_) {
    const Deadline deadline(kRemoveLimit);
    // A process that has just ended may still be counted; one that goes on stays in its group.
    while (::rmdir(directory.c_str()) != 0 && errno == EBUSY && !deadline.passed()) {
      if (!read_table(directory / "cgroup.procs").empty()) break;
      ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kRemovePoll).count()));
    }
  }
}

}  // namespace lamina
