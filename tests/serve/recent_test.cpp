#include "serve/recent.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(RecentPredictions, NothingIsZero) {
  const RecentPredictions::Summary summary = RecentPredictions().summary(Clock::now());
  EXPECT_EQ(summary.per_second, 0);
  EXPECT_EQ(summary.median, 0);
}

TEST(RecentPredictions, RateIsOfTheLastTenSecondsLatencyOfTheLastMinute) {
  RecentPredictions recent;
  const Clock::time_point now = Clock::now();
  recent.add(now - seconds(70), 100);
  for (int i = 1; i <= 20; ++i) recent.add(now - seconds(30), 0.01 * i);
  for (int i = 0; i < 5; ++i) recent.add(now - seconds(1), 0.01);
  const RecentPredictions::Summary summary = recent.summary(now);
  EXPECT_DOUBLE_EQ(summary.per_second, 0.5);
  // 25 values: six of 0.01, then 0.02, 0.03, … 0.20.
  EXPECT_DOUBLE_EQ(summary.median, 0.08);
  EXPECT_DOUBLE_EQ(summary.p95, 0.18);
}

TEST(RecentPredictions, AHighRateIsNotCappedByWhatIsKept) {
  RecentPredictions recent;
  const Clock::time_point now = Clock::now();
  for (int i = 0; i < 5000; ++i) recent.add(now - milliseconds(5000 - i), 0.001);
  EXPECT_NEAR(recent.summary(now).per_second, 1000, 10);
}

}  // namespace
}  // namespace lamina
