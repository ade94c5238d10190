// Work that may take longer so that other work does not.
#pragma once

#include <chrono>
#include <functional>
#include <future>
#include <utility>

namespace lamina {

// Threads are looked for so often that are to be held back. Seldom: where processor time is limited even a
// short look takes some of it from the processors that compute.
inline constexpr std::chrono::milliseconds kBetweenLooks{50};

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

// A call in a thread of its own that leaves processors to all others, as do the threads that it starts. For
// one thread; its end waits for that of the call.
template <typename Result>
class BackgroundCall {
 public:
  explicit BackgroundCall(std::function<Result()> call) {
    std::promise<int> nice;
    std::future<int> niceness = nice.get_future();
    result_ = std::async(std::launch::async, [nice = std::move(nice), call = std::move(call)]() mutable {
      nice.set_value(leave_processors_to_others());
      return call();
    });
    niceness_ = niceness.get();
  }

  // Waits until it is done, or `given_up` says so, which is asked every 50 ms. Meanwhile it stands back for
  // foreground work (base/foreground.h). Whether it is done.
  bool wait_unless(const std::function<bool()>& given_up) {
    bool done = false;
    const auto done_within = [&](std::chrono::milliseconds limit) {
      done = result_.wait_for(limit) == std::future_status::ready;
      return done || given_up();
    };
    if (niceness_ > 0) {
      hold_back(niceness_, done_within);
    } else {
      while (!done_within(kBetweenLooks)) continue;
    }
    return done;
  }
  bool is_done() const {
    return !result_.valid() || result_.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
  }
  // What the call returns or throws, once.
  Result get() { return result_.get(); }

 private:
  int niceness_ = 0;
  std::future<Result> result_;
};

// Such a call, to its end. Returns or throws what it does.
template <typename Call>
auto run_in_background(Call call) {
  BackgroundCall<decltype(call())> background(std::move(call));
  background.wait_unless([] { return false; });
  return background.get();
}

}  // namespace lamina
