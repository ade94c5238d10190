#include "cluster/stragglers.h"

#include <atomic>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

// One run of each machine every 100 ms, which was to take 10 ms.
class SlowMachines : public testing::Test {
 protected:
  static constexpr double kExpected = 0.01;
  // So many runs; how often one was found slow.
  int run(int runs, const std::map<std::string, double>& times) {
    int found = 0;
    for (int i = 0; i < runs; ++i) {
      now_ += milliseconds(100);
      for (const auto& [machine, longer] : times) {
        if (stragglers_.note(machine, longer * kExpected, kExpected, now_)) ++found;
      }
    }
    return found;
  }
  Slowness slow() { return stragglers_.slow(now_); }

  Clock::time_point now_ = Clock::time_point(hours(100));
  Stragglers stragglers_{{}};
};

TEST_F(SlowMachines, AreThoseWithThreeMediansInARow) {
  // A median is of 11 runs: the first and those until a second later.
  EXPECT_EQ(run(99, {{"a", 1}, {"b", 1.2}}), 0);
  EXPECT_TRUE(slow().empty());
  EXPECT_EQ(run(32, {{"a", 1}, {"b", 5}}), 0);
  EXPECT_EQ(run(1, {{"a", 1}, {"b", 5}}), 1);
  ASSERT_EQ(slow().size(), 1U);
  EXPECT_DOUBLE_EQ(slow().at("b"), 5);
}

TEST_F(SlowMachines, HaveNoStrikesLeftAfterAGoodMedian) {
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(run(22, {{"a", 5}}), 0);
    EXPECT_EQ(run(11, {{"a", 1}}), 0);
  }
}

TEST_F(SlowMachines, AreNotThoseWithAFewSlowRuns) {
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(run(2, {{"a", 1}}), 0);
    EXPECT_EQ(run(1, {{"a", 50}}), 0);
  }
}

TEST_F(SlowMachines, AreNotFoundInAMoment) {
  for (int i = 0; i < 100'000; ++i) {
    now_ += std::chrono::microseconds(10);
    EXPECT_FALSE(stragglers_.note("a", 1, kExpected, now_)) << i;
  }
}

TEST_F(SlowMachines, AreNotThoseThatTakeLessThanAMillisecondTooLong) {
  for (int i = 0; i < 100; ++i) {
    now_ += milliseconds(100);
    EXPECT_FALSE(stragglers_.note("a", 0.0009, 0.0001, now_));
  }
}

TEST_F(SlowMachines, AreNoneWhereAllAreOrNothingWasPlanned) {
  EXPECT_EQ(run(100, {{"a", 5}, {"b", 4}, {"c", 6}}), 0);
  for (int i = 0; i < 100; ++i) {
    now_ += milliseconds(100);
    EXPECT_FALSE(stragglers_.note("d", 5, 0, now_));
  }
  stragglers_.begin_anew();
  // Beside those that take four times as long it is five times as slow.
  EXPECT_GE(run(100, {{"a", 4}, {"b", 20}}), 1);
  EXPECT_DOUBLE_EQ(slow().at("b"), 5);
}

TEST_F(SlowMachines, AreAllWhereOneAfterTheOtherBecomesSo) {
  EXPECT_EQ(run(40, {{"a", 1}, {"b", 5}}), 1);
  EXPECT_EQ(run(40, {{"a", 4}, {"b", 5}}), 1);
  EXPECT_EQ(slow().size(), 2U);
}

TEST_F(SlowMachines, AreToldAgainWhenTheyBecomeMuchSlower) {
  EXPECT_EQ(run(40, {{"a", 4}}), 1);
  EXPECT_EQ(run(100, {{"a", 8}}), 0);
  EXPECT_EQ(run(100, {{"a", 20}}), 1);
  EXPECT_DOUBLE_EQ(slow().at("a"), 20);
}

TEST_F(SlowMachines, AreTriedAgainAfterPausesThatGrow) {
  for (const int pause : {1, 2, 4, 8, 16, 32, 60, 60}) {
    SCOPED_TRACE(pause);
    ASSERT_EQ(run(33, {{"a", 5}}), 1);
    stragglers_.begin_anew();  // as its work went elsewhere
    EXPECT_EQ(stragglers_.next_change(now_), now_ + minutes(pause));
    now_ += minutes(pause) - milliseconds(1);
    EXPECT_EQ(slow().size(), 1U);
    now_ += milliseconds(1);
    EXPECT_TRUE(slow().empty());
    EXPECT_FALSE(stragglers_.next_change(now_));
  }
  // What was long ago is forgotten.
  now_ += hours(2);
  ASSERT_EQ(run(33, {{"a", 5}}), 1);
  EXPECT_EQ(stragglers_.next_change(now_), now_ + minutes(1));
}

TEST_F(SlowMachines, AreNotTriedWhileTheirRunsAreSlow) {
  ASSERT_EQ(run(33, {{"a", 5}}), 1);
  run(600, {{"a", 4}});
  EXPECT_EQ(slow().size(), 1U);
  EXPECT_GT(*stragglers_.next_change(now_), now_ + minutes(1));
  run(1300, {{"a", 1}});
  EXPECT_TRUE(slow().empty());
}

TEST_F(SlowMachines, AreNotLookedForWithoutAFactor) {
  Stragglers none({.factor = 0});
  for (int i = 0; i < 1000; ++i) {
    now_ += milliseconds(100);
    EXPECT_FALSE(none.note("a", 100, kExpected, now_));
  }
}

TEST_F(SlowMachines, AreFoundOnceByManyThreads) {
  std::atomic<int> found = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&, i] {
      for (int run = 0; run < 10'000; ++run) {
        const Clock::time_point now = now_ + milliseconds(run);
        if (stragglers_.note("a", 5 * kExpected, kExpected, now)) ++found;
        if (i == 0) stragglers_.slow(now);
        if (i == 1) stragglers_.next_change(now);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(found, 1);
  EXPECT_EQ(stragglers_.slow(now_ + seconds(10)).size(), 1U);
}

}  // namespace
}  // namespace lamina
