#include "base/foreground.h"

#include "base/clock.h"

#include <atomic>
#include <cstdint>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace lamina {

namespace {

// Of the process, as priorities and signals are; a handler that comes late still finds it. Waiters sleep on
// it.
std::atomic<std::uint32_t> under_way{0};
static_assert(sizeof(under_way) == sizeof(std::uint32_t), "a futex is a plain number");

long futex(int operation, std::uint32_t value, const std::timespec* limit) noexcept {
  return ::syscall(SYS_futex, reinterpret_cast<std::uint32_t*>(&under_way), operation, value, limit, nullptr,
                   0);
}

}  // namespace

ForegroundWork::ForegroundWork() noexcept { ++under_way; }

ForegroundWork::~ForegroundWork() {
  if (--under_way == 0) futex(FUTEX_WAKE_PRIVATE, INT32_MAX, nullptr);
}

void wait_for_foreground_work(std::chrono::nanoseconds limit) noexcept {
  const Clock::time_point end = Clock::now() + limit;
  while (const std::uint32_t seen = under_way) {
    const std::chrono::nanoseconds left = end - Clock::now();
    if (left.count() <= 0) return;
    const std::timespec time{left.count() / 1'000'000'000, left.count() % 1'000'000'000};
    futex(FUTEX_WAIT_PRIVATE, seen, &time);
  }
}

}  // namespace lamina
