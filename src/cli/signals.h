// Ending a server politely.
#pragma once

#include <csignal>
#include <ctime>

namespace lamina::cli {

// SIGINT and SIGTERM wait to be asked for, in this thread and those it starts. Construct before any thread
// starts.
class EndSignals {
 public:
  EndSignals() {
    sigemptyset(&signals_);
    sigaddset(&signals_, SIGINT);
    sigaddset(&signals_, SIGTERM);
    pthread_sigmask(SIG_BLOCK, &signals_, nullptr);
    // A client that goes away is an error of its connection alone.
    std::signal(SIGPIPE, SIG_IGN);
  }
  // Returns when one arrives.
  void wait() const {
    int received = 0;
    sigwait(&signals_, &received);
  }
  // Whether one has; takes it.
  bool arrived() const {
    constexpr timespec kNow{0, 0};
    return sigtimedwait(&signals_, nullptr, &kNow) > 0;
  }

 private:
  sigset_t signals_{};
};

}  // namespace lamina::cli
