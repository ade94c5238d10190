// Time that only moves forward, and deadlines measured on it.
#pragma once

#include <chrono>

namespace lamina {

using Clock = std::chrono::steady_clock;

// Seconds from `begin` to now.
inline double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

// A point in time by which something must be done.
class Deadline {
 public:
  explicit Deadline(Clock::duration from_now) : end_(Clock::now() + from_now) {}
  Clock::time_point time() const { return end_; }
  bool passed() const { return Clock::now() >= end_; }
  // Zero once passed.
  Clock::duration left() const { return passed() ? Clock::duration::zero() : end_ - Clock::now(); }

 private:
  Clock::time_point end_;
};

}  // namespace lamina
