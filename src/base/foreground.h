// Work of this process that its background work stands back for (base/background.h).
#pragma once

#include <chrono>

namespace lamina {

// Such work is under way while one of these lives, in whichever thread.
class ForegroundWork {
 public:
  ForegroundWork() noexcept;
  ~ForegroundWork();
  ForegroundWork(const ForegroundWork&) = delete;
  ForegroundWork& operator=(const ForegroundWork&) = delete;
};

// Waits until none is under way, at most for `limit`. May be called in a signal handler.
void wait_for_foreground_work(std::chrono::nanoseconds limit) noexcept;

}  // namespace lamina
