#include "deploy/local_worker.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>
#include <utility>

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

// Between fork and exec: only calls that are safe there, on what was prepared before.
[[noreturn]] void become_worker(const cpu_set_t& cpus, std::uint64_t memory, bool attached, int log,
                                pid_t parent, char* const* arguments) {
  ::sched_setaffinity(0, sizeof(cpus), &cpus);
  // The limit counts stacks as they are reserved: the usual 8 MiB for each of some thirty threads would eat
  // small ones.
  const rlimit stack{kStackBytes, kStackBytes};
  ::setrlimit(RLIMIT_STACK, &stack);
  const rlimit limit{memory, memory};
  if (memory > 0) ::setrlimit(RLIMIT_DATA, &limit);
  ::setsid();
  if (attached) {
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (::getppid() != parent) ::_exit(127);  // it died before the line above
  }
  const int nothing = ::open("/dev/null", O_RDONLY);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(log, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
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
  std::vector<char*> arguments;
  for (std::string& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  const cpu_set_t cpus = choose_cpus(options_.device.threads, options_.first_cpu);
  const int log =
      ::open(log_file(options_.directory).c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (log < 0) fail_with_errno(errno, fmt::format("can't write '{}'", log_file(options_.directory).string()));
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ == 0)
    become_worker(cpus, options_.device.memory, options_.attached, log, parent, arguments.data());
  ::close(log);
  if (pid_ < 0) fail_with_errno(errno, fmt::format("can't start worker '{}'", options_.device.name));
}

LocalWorker::LocalWorker(LocalWorker&& other) noexcept
    : options_(std::move(other.options_)),
      pid_(std::exchange(other.pid_, -1)),
      released_(other.released_),
      address_(std::move(other.address_)) {}

LocalWorker::~LocalWorker() {
  if (pid_ > 0 && !released_) end_process(pid_, std::chrono::seconds(5));
}

std::string LocalWorker::describe_end(int status) const {
  std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {} ({})", WTERMSIG(status),
                                                      ::strsignal(WTERMSIG(status)))
                                        : fmt::format("ended with status {}", WEXITSTATUS(status));
  const Descriptor file(::open(log_file(options_.directory).c_str(), O_RDONLY | O_CLOEXEC));
  if (file.get() < 0) return how;
  const std::string log = end_of_log(file.get());
  return log.empty() ? how : how + ": " + log;
}

const std::string& LocalWorker::wait_until_ready(std::chrono::milliseconds limit) {
  const Deadline deadline(limit);
  while (true) {
    // The file appears whole, by a rename.
    if (std::filesystem::exists(address_file(options_.directory))) {
      address_ = read_file(address_file(options_.directory), 1000);
      return address_;
    }
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

void end_process(pid_t pid, std::chrono::milliseconds limit) {
  const std::uint64_t began = process_start_time(pid);
  if (began == 0) return;
  ::kill(pid, SIGTERM);
  const Deadline deadline(limit);
  bool killed = false;
  while (true) {
    const pid_t reaped = ::waitpid(pid, nullptr, WNOHANG);
    if (reaped == pid || process_start_time(pid) != began) return;
    if (deadline.passed() && !killed) {
      ::kill(pid, SIGKILL);
      killed = true;
    }
    ::usleep(static_cast<useconds_t>(std::chrono::microseconds(kPoll).count()));
  }
}

std::uint64_t process_start_time(pid_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  // The name in parentheses may hold anything; fields are counted after it. A zombie has ended.
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 2 >= text.size() || text[name_end + 2] == 'Z') return 0;
  std::size_t at = name_end + 2;
  for (int field = 3; field < 22; ++field) {
    at = text.find(' ', at);
    if (at == std::string::npos) return 0;
    ++at;
  }
  return std::strtoull(text.c_str() + at, nullptr, 10);
}

}  // namespace lamina
