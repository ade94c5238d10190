// How the last predictions went: for the page, which wants a rate and a latency of now.
#pragma once

#include "base/clock.h"

#include <array>
#include <cstddef>
#include <mutex>

namespace lamina {

// Thread-safe. Keeps the last 1024 predictions.
class RecentPredictions {
 public:
  struct Summary {
    double per_second = 0;  // predictions answered in the last ten seconds, divided by ten
    double median = 0;      // seconds, over the last minute; 0 where there was none
    double p95 = 0;
  };

  void add(Clock::time_point now, double seconds);
  Summary summary(Clock::time_point now) const;

 private:
  struct Entry {
    Clock::time_point end;
    double seconds = 0;
  };

  mutable std::mutex mutex_;
  std::array<Entry, 1024> entries_;
  std::size_t count_ = 0;  // ever added; entry i lies at i modulo the size
};

}  // namespace lamina
