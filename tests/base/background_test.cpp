#include "base/background.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/foreground.h"

#include <chrono>
#include <ctime>
#include <future>
#include <memory>
#include <thread>

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

namespace lamina {
namespace {

int nice_of_this_thread() { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }

TEST(Background, LeavesProcessorsToOthersAndTheCallerAsItWas) {
  const int before = nice_of_this_thread();
  const int within = run_in_background([] { return nice_of_this_thread(); });
  EXPECT_GT(within, before);
  EXPECT_EQ(nice_of_this_thread(), before);
}

TEST(Background, ThrowsWhatTheCallThrows) {
  EXPECT_THROW(run_in_background([] { fail(ErrorCode::corrupt, "no"); }), Error);
}

std::chrono::nanoseconds processor_time_of_this_thread() {
  std::timespec time{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
  return std::chrono::seconds(time.tv_sec) + std::chrono::nanoseconds(time.tv_nsec);
}

// Seconds until a thread has computed for so long.
double seconds_to_compute(std::chrono::milliseconds time) {
  const Clock::time_point begin = Clock::now();
  const std::chrono::nanoseconds enough = processor_time_of_this_thread() + time;
  while (processor_time_of_this_thread() < enough) {
  }
  return seconds_since(begin);
}

// A tenth of the time is left to it, from when it is first held back: on a busy machine that takes a while.
constexpr std::chrono::milliseconds kWork{100};
constexpr double kHeldBack = 0.4;  // seconds

TEST(Background, GoesOnByItselfWhereWaitingIsGivenUp) {
  std::promise<void> end;
  BackgroundCall<int> call([&] {
    end.get_future().wait();
    return 7;
  });
  EXPECT_FALSE(call.wait_unless([] { return true; }));
  EXPECT_FALSE(call.is_done());
  end.set_value();
  EXPECT_TRUE(call.wait_unless([] { return false; }));
  EXPECT_TRUE(call.is_done());
  EXPECT_EQ(call.get(), 7);
}

TEST(Background, StandsBackForForegroundWorkAndGoesOnAllTheSame) {
  const ForegroundWork under_way;
  EXPECT_GT(run_in_background([] { return seconds_to_compute(kWork); }), kHeldBack);
}

// They are found within 50 ms; what they compute until then does not count.
TEST(Background, HoldsBackThreadsThatItStartsToo) {
  const ForegroundWork under_way;
  const auto in_another = [] {
    return std::async(std::launch::async, [] { return seconds_to_compute(2 * kWork); }).get();
  };
  EXPECT_GT(run_in_background(in_another), kHeldBack);
}

TEST(Background, HoldsBackNoOtherThreads) {
  const ForegroundWork under_way;
  std::promise<void> end;
  std::promise<void> begun;
  auto background = std::async(std::launch::async, [&] {
    run_in_background([&] {
      begun.set_value();
      end.get_future().wait();
    });
  });
  begun.get_future().wait();
  rusage usage{};
  ::getrusage(RUSAGE_THREAD, &usage);
  const long switches = usage.ru_nvcsw;
  seconds_to_compute(kWork);
  ::getrusage(RUSAGE_THREAD, &usage);
  EXPECT_EQ(usage.ru_nvcsw, switches);  // it never waited
  end.set_value();
  background.get();
}

TEST(Foreground, IsWaitedForUntilItsLastWorkEnds) {
  wait_for_foreground_work(std::chrono::hours(1));  // none is under way
  auto first = std::make_unique<ForegroundWork>();
  auto second = std::make_unique<ForegroundWork>();
  const Clock::time_point begin = Clock::now();
  auto ends = std::async(std::launch::async, [&] {
    first.reset();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    second.reset();
  });
  wait_for_foreground_work(std::chrono::hours(1));
  EXPECT_GT(seconds_since(begin), 0.015);
}

TEST(Foreground, IsWaitedForNoLongerThanTheLimit) {
  const ForegroundWork under_way;
  const Clock::time_point begin = Clock::now();
  wait_for_foreground_work(std::chrono::milliseconds(5));
  EXPECT_GE(seconds_since(begin), 0.005);
}

}  // namespace
}  // namespace lamina
