#include "deploy/local_worker.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <string_view>
#include <utility>
#include <vector>

#include <fcntl.h>
#include <sched.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{10};
constexpr rlim_t kStackBytes = 1U << 20U;

// CPUs this process may use, of which the worker gets `threads`, from `first` on.
cpu_set_t choose_cpus(int threads, std::size_t first) {
  cpu_set_t available;
  CPU_ZERO(&available);
  ::sched_getaffinity(0, sizeof(available), &available);
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &available)) cpus.push_back(cpu);
  }
  cpu_set_t chosen;
  CPU_ZERO(&chosen);
  const std::size_t count = std::min(cpus.size(), static_cast<std::size_t>(std::max(threads, 1)));
  for (std::size_t i = 0; i < count; ++i) CPU_SET(cpus[(first + i) % cpus.size()], &chosen);
  return chosen;
}

std::filesystem::path address_file(const std::filesystem::path& directory) { return directory / "address"; }
std::filesystem::path log_file(const std::filesystem::path& directory) { return directory / "worker.log"; }

// What the child between fork and exec needs, all of it prepared before.
struct ChildSettings {
  const Cgroup* group = nullptr;
  const cpu_set_t* cpus = nullptr;  // none: those of this process
  std::uint64_t reserved = 0;       // RLIMIT_DATA; 0: no limit
  bool attached = true;
  int log = -1;
  pid_t parent = 0;
};

// Only calls that are safe between fork and exec.
[[noreturn]] void become_worker(const ChildSettings& settings, char* const* arguments) {
  if (settings.group != nullptr && !settings.group->enter()) {
    constexpr std::string_view kRefused = "it can't enter its control group";
    ::_exit(::write(settings.log, kRefused.data(), kRefused.size()) < 0 ? 126 : 127);
  }
  if (settings.cpus != nullptr) ::sched_setaffinity(0, sizeof(*settings.cpus), settings.cpus);
  // The limit counts stacks as they are reserved: the usual 8 MiB for each of some thirty threads would eat
  // small ones.
  const rlimit stack{kStackBytes, kStackBytes};
  ::setrlimit(RLIMIT_STACK, &stack);
  const rlimit limit{settings.reserved, settings.reserved};
  if (settings.reserved > 0) ::setrlimit(RLIMIT_DATA, &limit);
  ::setsid();
  if (settings.attached) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != settings.parent) ::_exit(127);  // it died before the line above
  }
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(settings.log, STDOUT_FILENO);
  ::dup2(settings.log, STDERR_FILENO);
  // Connections and files of the head are its own: they would stay open here after it has closed them.
  ::close_range(STDERR_FILENO + 1, ~0U, 0);
  ::execv(arguments[0], arguments);
  ::_exit(127);
}

}  // namespace

LocalWorker::LocalWorker(LocalWorkerOptions options) : options_(std::move(options)) { start(); }

std::string LocalWorker::restart() {
  std::string how = "has ended";
  if (pid_ > 0) {
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == 0) {
      ::kill(pid_, SIGKILL);
      ::waitpid(pid_, &status, 0);
    }
    how = describe_end(status);
    pid_ = -1;
  }
  start();
  return fmt::format("worker '{}' {}", name(), how);
}

void LocalWorker::start() {
  std::filesystem::create_directories(options_.directory);
  std::filesystem::remove(address_file(options_.directory));
  const std::filesystem::path program =
      options_.program.empty() ? std::filesystem::read_symlink("/proc/self/exe") : options_.program;
  std::vector<std::string> words = {program.string(), "worker",
                                    "--name",         options_.device.name,
                                    "--threads",      std::to_string(options_.device.threads),
                                    "--memory",       std::to_string(options_.device.memory),
                                    "--engine",       options_.engine,
                                    "--listen",       "127.0.0.1:0",
                                    "--store",        (options_.directory / "store").string(),
                                    "--address-file", address_file(options_.directory).string()};
  if (options_.tls.enabled()) {
    words.insert(words.end(), {"--tls-ca", options_.tls.authority.string(), "--tls-cert",
                               options_.tls.certificate.string(), "--tls-key", options_.tls.key.string()});
  }
  if (options_.tls.insecure) words.emplace_back("--insecure");
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const DeviceInfo& device = options_.device;
  const bool by_group = device.memory > 0 && device.memory < kLeastReservedMemory;
  group_.reset();
  if (device.cpus > 0 || by_group) {
    try {
      group_ = std::make_unique<Cgroup>(CgroupLimits{device.cpus, by_group ? device.memory : 0});
    } catch (const Error& error) {
      fail(error.code(), "worker '{}': {}", device.name, error.what());
    }
  }
  const cpu_set_t cpus = choose_cpus(device.threads, options_.first_cpu);
  const int log =
      ::open(log_file(options_.directory).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) fail_with_errno(errno, fmt::format("can't write '{}'", log_file(options_.directory).string()));
  // A share is of all CPUs: several workers bound to one CPU could not each have theirs.
  const ChildSettings settings{.group = group_.get(),
                               .cpus = device.cpus > 0 ? nullptr : &cpus,
                               .reserved = by_group ? 0 : device.memory,
                               .attached = options_.attached,
                               .log = log,
                               .parent = ::getpid()};
  pid_ = ::fork();
  if (pid_ == 0) become_worker(settings, arguments.data());
  ::close(log);
  if (pid_ < 0) fail_with_errno(errno, fmt::format("can't start worker '{}'", device.name));
}

LocalWorker::LocalWorker(LocalWorker&& other) noexcept
    : options_(std::move(other.options_)),
      group_(std::move(other.group_)),
      pid_(std::exchange(other.pid_, -1)),
      released_(other.released_),
      address_(std::move(other.address_)) {}

LocalWorker::~LocalWorker() {
  if (pid_ > 0 && !released_) end_process(pid_, std::chrono::seconds(5));
}

std::optional<std::string> LocalWorker::end() const {
  siginfo_t how{};
  // Not reaped yet: restart() and the destructor do that.
  if (pid_ <= 0 || ::waitid(P_PID, static_cast<id_t>(pid_), &how, WEXITED | WNOHANG | WNOWAIT) != 0 ||
      how.si_pid == 0)
    return std::nullopt;
  const bool exited = how.si_code == CLD_EXITED;
  return describe_end(exited ? W_EXITCODE(how.si_status, 0) : W_EXITCODE(0, how.si_status));
}

std::string LocalWorker::describe_end(int status) const {
  if (group_ && group_->ran_out_of_memory()) {
    return fmt::format("ran out of memory: it needs more than its {}", format_bytes(options_.device.memory));
  }
  std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                                                      ::strsignal(WTERMSIG(status)))
                                        : fmt::format("ended with status {}", WEXITSTATUS(status));
  const Descriptor file(::open(log_file(options_.directory).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return how;
  const std::string log = end_of_log(file.get());
  return log.empty() ? how : how + ": " + log;
}

bool LocalWorker::is_ready() {
  // The file appears whole, by a rename.
  if (!std::filesystem::exists(address_file(options_.directory))) return false;
  address_ = read_file(address_file(options_.directory), 1000);
  return true;
}

const std::string& LocalWorker::wait_until_ready(std::chrono::milliseconds limit) {
  const Deadline deadline(limit);
  while (true) {
    if (is_ready()) return address_;
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      fail(ErrorCode::unavailable, "worker '{}' {}", name(), describe_end(status));
    }
    if (deadline.passed()) {
      fail(ErrorCode::deadline_exceeded, "worker '{}' did not start within {} ms", name(), limit.count());
    }
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kPoll).count()));
  }
}

}  // namespace lamina
