#include "base/background.h"

#include "base/foreground.h"

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <ctime>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <sys/resource.h>
#include <unistd.h>

namespace lamina {

namespace {

// About a tenth of the weight of the others (sched(7)).
constexpr int kMoreNice = 10;
constexpr int kMostNice = 19;
constexpr std::chrono::milliseconds kTurn{2};
constexpr std::chrono::milliseconds kPause{18};

void pause_thread(int) {
  const int before = errno;
  wait_for_foreground_work(kPause);
  errno = before;
}

// Interrupts a thread of this process after every turn of its processor time.
class TurnTimer {
 public:
  explicit TurnTimer(pid_t thread) {
    sigevent event{};
    event.sigev_notify = SIGEV_THREAD_ID;
    event.sigev_signo = SIGRTMIN;
    event._sigev_un._tid = thread;  // timer_create(2) calls it sigev_notify_thread_id; glibc 2.36 does not
    // The processor time of a thread, as pthread_getcpuclockid(3) makes it.
    constexpr clockid_t kOfThread = 6;
    const auto clock = static_cast<clockid_t>((~static_cast<unsigned>(thread) << 3U) | kOfThread);
    armed_ = ::timer_create(clock, &event, &timer_) == 0;
    const std::timespec turn{0, std::chrono::nanoseconds(kTurn).count()};
    const itimerspec turns{turn, turn};
    if (armed_) ::timer_settime(timer_, 0, &turns, nullptr);
  }
  ~TurnTimer() {
    if (armed_) ::timer_delete(timer_);
  }
  TurnTimer(const TurnTimer&) = delete;
  TurnTimer& operator=(const TurnTimer&) = delete;

 private:
  timer_t timer_{};
  bool armed_ = false;  // not where the thread has ended meanwhile
};

int niceness_of(pid_t thread) { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(thread)); }

std::vector<pid_t> threads_as_nice_as(int nice) {
  std::vector<pid_t> threads;
  std::error_code ignored;  // the list ends where it can't be read
  for (std::filesystem::directory_iterator task("/proc/self/task", ignored), end; task != end;
       task.increment(ignored)) {
    const std::string name = task->path().filename().string();
    pid_t thread = 0;
    std::from_chars(name.data(), name.data() + name.size(), thread);
    if (niceness_of(thread) >= nice) threads.push_back(thread);
  }
  return threads;
}

}  // namespace

int leave_processors_to_others() {
  const pid_t thread = ::gettid();
  const int before = niceness_of(thread);
  const int after = std::min(before + kMoreNice, kMostNice);
  const bool nicer = after > before && ::setpriority(PRIO_PROCESS, static_cast<id_t>(thread), after) == 0;
  return nicer ? after : 0;
}

void hold_back(int nice, const std::function<bool(std::chrono::milliseconds)>& done_within) {
  struct sigaction action {};
  action.sa_handler = pause_thread;
  action.sa_flags = SA_RESTART;
  ::sigemptyset(&action.sa_mask);
  ::sigaction(SIGRTMIN, &action, nullptr);
  std::map<pid_t, std::unique_ptr<TurnTimer>> timers;
  do {
    for (const pid_t thread : threads_as_nice_as(nice)) {
      std::unique_ptr<TurnTimer>& timer = timers[thread];
      if (!timer) timer = std::make_unique<TurnTimer>(thread);
    }
  } while (!done_within(kBetweenLooks));
}

}  // namespace lamina
