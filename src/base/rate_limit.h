// How often each client may ask.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstddef>
#include <mutex>
#include <string>
#include <unordered_map>

namespace lamina {

// A token bucket for each client: `per_second` in the long run, `at_once` after a rest. Holds few clients at
// a time, so that strangers of many addresses can't fill the memory. Thread-safe.
class RateLimit {
 public:
  // 0: no limit. As many at once as come in a second, at least one.
  explicit RateLimit(double per_second);
  RateLimit(double per_second, double at_once);

  // Zero: the request may go on and is counted. Otherwise the time after which another try would be.
  std::chrono::duration<double> wait_of(const std::string& client, Clock::time_point now);

 private:
  struct Bucket {
    double left;
    Clock::time_point seen;
  };
  void refill(Bucket& bucket, Clock::time_point now) const;

  const double per_second_;
  const double most_;
  std::mutex mutex_;
  std::unordered_map<std::string, Bucket> buckets_;  // guarded by mutex_
};

}  // namespace lamina
