#include "deploy/command.h"

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/error.h"
#include "deploy/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <optional>
#include <string_view>

#include <fcntl.h>
#include <fmt/ranges.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr std::size_t kMaxOutput = 16U << 20U;
constexpr std::chrono::seconds kEndLimit{5};
constexpr int kPollMilliseconds = 20;

struct Pipe {
  explicit Pipe(const std::string& program) {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) fail_with_errno(errno, fmt::format("can't run '{}'", program));
    from.emplace(ends[0]);
    to.emplace(ends[1]);
  }
  std::optional<Descriptor> from;
  std::optional<Descriptor> to;
};

// This process's environment with `changes`, as NAME=VALUE.
std::vector<std::string> environment_with(const std::map<std::string, std::string>& changes) {
  std::vector<std::string> variables;
  for (char** variable = environ; *variable != nullptr; ++variable) {
    const std::string_view text(*variable);
    if (!changes.contains(std::string(text.substr(0, text.find('='))))) variables.emplace_back(text);
  }
  for (const auto& [name, value] : changes) variables.push_back(name + "=" + value);
  return variables;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t spawn(std::vector<std::string> words, const CommandOptions& options, int output, int errors) {
  std::vector<std::string> variables = environment_with(options.environment);
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawnattr_init(&attributes);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, errors, STDERR_FILENO);
  if (!options.directory.empty()) ::posix_spawn_file_actions_addchdir_np(&actions, options.directory.c_str());
  // What this process blocks and ignores is its own affair.
  sigset_t none;
  sigemptyset(&none);
  sigset_t usual;
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  ::posix_spawnattr_setsigmask(&attributes, &none);
  ::posix_spawnattr_setsigdefault(&attributes, &usual);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  pid_t child = -1;
  const int failure = ::posix_spawnp(&child, words.front().c_str(), &actions, &attributes,
                                     pointers_to(words).data(), pointers_to(variables).data());
  ::posix_spawn_file_actions_destroy(&actions);
  ::posix_spawnattr_destroy(&attributes);
  if (failure == ENOENT) fail(ErrorCode::not_found, "there is no program '{}' on PATH", words.front());
  if (failure != 0) fail_with_errno(failure, fmt::format("can't run '{}'", words.front()));
  return child;
}

// Reads what is there. Whether more may come.
bool read_some(int descriptor, std::string& text) {
  std::array<char, 65536> buffer;
  const ssize_t count = ::read(descriptor, buffer.data(), buffer.size());
  if (count > 0)
    text.append(buffer.data(), std::min(static_cast<std::size_t>(count), kMaxOutput - text.size()));
  return count > 0 || (count < 0 && errno == EINTR);
}

}  // namespace

CommandResult run_command(const std::vector<std::string>& words, const CommandOptions& options) {
  Pipe output(words.front());
  Pipe errors(words.front());
  const Deadline deadline(options.limit);
  const pid_t child = spawn(words, options, output.to->get(), errors.to->get());
  output.to.reset();
  errors.to.reset();
  CommandResult result;
  bool more_output = true;
  bool more_errors = true;
  int status = 0;
  while (true) {
    std::array<pollfd, 2> waiting = {pollfd{more_output ? output.from->get() : -1, POLLIN, 0},
                                     pollfd{more_errors ? errors.from->get() : -1, POLLIN, 0}};
    ::poll(waiting.data(), waiting.size(), kPollMilliseconds);
    if (waiting[0].revents != 0) more_output = read_some(output.from->get(), result.output);
    if (waiting[1].revents != 0) more_errors = read_some(errors.from->get(), result.errors);
    if (!more_output && !more_errors && ::waitpid(child, &status, WNOHANG) == child) break;
    if (deadline.passed()) {
      end_process(child, kEndLimit);
      fail(ErrorCode::deadline_exceeded, "'{}' took longer than {} s and was ended", fmt::join(words, " "),
           std::chrono::duration_cast<std::chrono::seconds>(options.limit).count());
    }
  }
  result.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  return result;
}

}  // namespace lamina
