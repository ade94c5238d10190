// Work that may take longer so that other work does not.
#pragma once

#include <chrono>
#include <functional>
#include <future>

namespace lamina {

// The calling thread leaves processors to all others from now on, and so do threads that it starts, for as
// long as they live: a process without rights can't take that back. Returns its niceness, sched(7), or 0
// where it can't become nicer.
int leave_processors_to_others();

// Pauses each thread of this process that is at least as nice as that, after every 2 ms of its processor
// time, while foreground work is under way, but at most 18 ms: it may hold what that work waits for. A lower
// priority is not enough under a limit on processor time, such as those of containers: a thread on another
// processor uses up what the more urgent one needs. Threads are interrupted by the first real-time signal,
// wherever they are. Returns when `done_within` says so, which waits for so long.
void hold_back(int nice, const std::function<bool(std::chrono::milliseconds)>& done_within);

// Runs the call in a thread of its own that leaves processors to all others, as do the threads that it
// starts, and stands back for foreground work (base/foreground.h). Waits for it and returns or throws what it
// does.
template <typename Call>
auto run_in_background(Call call) {
  std::promise<int> nice;
  auto result = std::async(std::launch::async, [&] {
    nice.set_value(leave_processors_to_others());
    return call();
  });
  const int niceness = nice.get_future().get();
  if (niceness > 0)
    hold_back(niceness, [&](auto limit) { return result.wait_for(limit) == std::future_status::ready; });
  return result.get();
}

}  // namespace lamina
