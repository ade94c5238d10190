#include "cluster/batch_queue.h"

#include <algorithm>

namespace lamina {

void BatchQueue::add(std::uint64_t request, std::int64_t rows, Clock::time_point leave_by) {
  waiting_.emplace(request, Waiting{rows, leave_by});
}

BatchQueue::Batch BatchQueue::next() const {
  Batch next;
  std::int64_t rows = 0;
  for (const auto& [number, request] : waiting_) {
    next.full = !next.requests.empty() && request.rows > max_rows_ - rows;
    if (next.full) break;
    next.requests.push_back(number);
    next.leave_by = std::min(next.leave_by, request.leave_by);
    rows += request.rows;
    next.full = rows >= max_rows_;
    if (next.full) break;
  }
  return next;
}

}  // namespace lamina
