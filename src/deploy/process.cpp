#include "deploy/process.h"

#include "base/clock.h"

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <string>

#include <sys/wait.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{10};

}  // namespace

void end_process(pid_t pid, std::chrono::milliseconds limit) {
  const std::uint64_t began = process_start_time(pid);
  if (began == 0 && ::waitpid(pid, nullptr, WNOHANG) != 0) return;
  ::kill(pid, SIGTERM);
  const Deadline deadline(limit);
  bool killed = false;
  while (true) {
    const pid_t reaped = ::waitpid(pid, nullptr, WNOHANG);
    // A child is over once it is reaped: it looks ended as soon as its first thread is, while others still end.
    if (reaped == pid || (reaped < 0 && process_start_time(pid) != began)) return;
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
