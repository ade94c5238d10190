#include "keras/sandbox.h"

#include "base/clock.h"
#include "base/error.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {

namespace {

// The first byte of an answer: a result, or an error with its code's name and a newline before the message.
constexpr char kResult = 'R';
constexpr char kError = 'E';

void write_all(int descriptor, const std::string& text) {
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t written = ::write(descriptor, text.data() + done, text.size() - done);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return;
    done += static_cast<std::size_t>(written);
  }
}

void limit_child(const SandboxLimits& limits) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  const rlim_t bytes = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + limits.max_memory;
  const rlimit memory{bytes, bytes};
  // A sanitizer reserves address space beyond any limit; there the limit stays off.
  if (pages < (std::size_t{1} << 30U)) ::setrlimit(RLIMIT_AS, &memory);
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);
  for (const int signal : {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL}) std::signal(signal, SIG_DFL);
}

[[noreturn]] void run_child(int descriptor, const std::function<std::string()>& work,
                            const SandboxLimits& limits) {
  limit_child(limits);
  std::string answer;
  try {
    answer = kResult + work();
  } catch (const Error& error) {
    answer = kError + std::string(to_string(error.code())) + "\n" + error.what();
  } catch (const std::exception& error) {
    answer = kError + std::string("corrupt\n") + error.what();
  }
  write_all(descriptor, answer);
  ::_exit(0);
}

// Reads until the child closes its end; false when the deadline or the limit was passed first.
bool read_answer(int descriptor, const SandboxLimits& limits, std::string& answer) {
  const Deadline deadline(limits.deadline);
  std::array<char, 65536> block{};
  while (true) {
    pollfd waiting{descriptor, POLLIN, 0};
    const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline.left()).count();
    const int ready = ::poll(&waiting, 1, static_cast<int>(left));
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return false;
    const ssize_t got = ::read(descriptor, block.data(), block.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return got == 0;
    answer.append(block.data(), static_cast<std::size_t>(got));
    if (answer.size() > limits.max_result) return false;
  }
}

}  // namespace

std::string run_in_child(const std::string& what, const std::function<std::string()>& work,
                         const SandboxLimits& limits) {
  std::array<int, 2> pipe{};
  if (::pipe2(pipe.data(), O_CLOEXEC) != 0) fail_with_errno(errno, "can't make a pipe");
  const pid_t child = ::fork();
  if (child < 0) {
    ::close(pipe[0]);
    ::close(pipe[1]);
    fail_with_errno(errno, "can't start a process");
  }
  if (child == 0) {
    ::close(pipe[0]);
    run_child(pipe[1], work, limits);
  }
  ::close(pipe[1]);
  std::string answer;
  const bool complete = read_answer(pipe[0], limits, answer);
  ::close(pipe[0]);
  if (!complete) ::kill(child, SIGKILL);
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  if (!complete)
    fail(ErrorCode::corrupt, "{}: reading it took too long or found too much; the file is damaged", what);
  if (WIFSIGNALED(status) || answer.empty()) {
    fail(ErrorCode::corrupt, "{}: the file is damaged (its parser ended by {})", what,
         WIFSIGNALED(status) ? ::strsignal(WTERMSIG(status)) : "itself");
  }
  if (answer[0] == kResult) return answer.substr(1);
  const std::size_t newline = answer.find('\n');
  fail(error_code_from_string(answer.substr(1, newline - 1)), "{}", answer.substr(newline + 1));
}

}  // namespace lamina
