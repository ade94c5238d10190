// Requests that wait for others to leave with, and which of them leave together.
#pragma once

#include "base/clock.h"

#include <cstdint>
#include <map>
#include <vector>

namespace lamina {

// The one that came first leaves first, with all behind it that fit. For one thread at a time.
class BatchQueue {
 public:
  // So many rows leave together at most; a request of more leaves alone.
  explicit BatchQueue(std::int64_t max_rows) : max_rows_(max_rows) {}

  // Numbers increase. At `leave_by` it has waited enough for others.
  void add(std::uint64_t request, std::int64_t rows, Clock::time_point leave_by);
  // It left or ended. Does nothing for one that is not here.
  void remove(std::uint64_t request) { waiting_.erase(request); }
  bool empty() const { return waiting_.empty(); }

  struct Batch {
    std::vector<std::uint64_t> requests;
    bool full = false;                                      // the next does not fit any more
    Clock::time_point leave_by = Clock::time_point::max();  // when one of them has waited enough
  };
  // What would leave now.
  Batch next() const;

 private:
  struct Waiting {
    std::int64_t rows = 0;
    Clock::time_point leave_by;
  };

  const std::int64_t max_rows_;
  std::map<std::uint64_t, Waiting> waiting_;  // by number
};

}  // namespace lamina
