// What happens in a simulation (plan/simulate.h), in order of time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <vector>

namespace lamina {

enum class What { arrives, window_ends, sends, comes, leaves_stage, fails, changes, drained, gives_up };

struct SimulatedEvent {
  double time = 0;  // seconds
  std::uint64_t order = 0;
  What what = What::arrives;
  std::uint64_t batch = 0;
  std::size_t stage = 0;  // that sends, or whose work is done
  std::size_t hop = 0;    // of those that it sends
  bool operator>(const SimulatedEvent& other) const {
    return time != other.time ? time > other.time : order > other.order;
  }
};

// Of equal times the first added comes first.
class SimulatedEvents {
 public:
  void add(double time, What what, std::uint64_t batch = 0, std::size_t stage = 0, std::size_t hop = 0) {
    events_.push({time, order_++, what, batch, stage, hop});
  }
  bool empty() const { return events_.empty(); }
  SimulatedEvent take() {
    const SimulatedEvent first = events_.top();
    events_.pop();
    return first;
  }

 private:
  std::priority_queue<SimulatedEvent, std::vector<SimulatedEvent>, std::greater<>> events_;
  std::uint64_t order_ = 0;
};

}  // namespace lamina
