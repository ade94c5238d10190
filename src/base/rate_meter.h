// How often something happens.
#pragma once

#include "base/clock.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>

namespace lamina {

// Counts in spans of five seconds and knows the last minute of them.
class RateMeter {
 public:
  // Times must not go back.
  void note(double amount, Clock::time_point now) {
    const std::uint64_t span = span_of(now);
    if (counted_[span % kSpans].span != span) counted_[span % kSpans] = {span, 0};
    counted_[span % kSpans].amount += amount;
  }

  // A second, in the busiest span of the last minute: clients that wait for an answer meanwhile, or a pause,
  // make it no less.
  double most(Clock::time_point now) const {
    double most = 0;
    for (const Counted& one : counted_) {
      if (one.span + kSpans > span_of(now)) most = std::max(most, one.amount);
    }
    return most / std::chrono::duration<double>(kSpan).count();
  }

 private:
  static constexpr std::chrono::seconds kSpan{5};
  static constexpr std::uint64_t kSpans = 12;
  struct Counted {
    std::uint64_t span = 0;  // its number since the clock's beginning
    double amount = 0;
  };

  static std::uint64_t span_of(Clock::time_point time) {
    return static_cast<std::uint64_t>(time.time_since_epoch() / kSpan);
  }

  std::array<Counted, kSpans> counted_ = {};
};

}  // namespace lamina
