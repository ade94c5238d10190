#include "base/rate_meter.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point kBegin{seconds(1000)};

TEST(RateMeters, TellTheBusiestSpanOfTheLastMinute) {
  RateMeter meter;
  EXPECT_EQ(meter.most(kBegin), 0);
  for (int i = 0; i < 100; ++i) meter.note(1, kBegin + milliseconds(50 * i));  // 20 a second
  for (int i = 0; i < 20; ++i) meter.note(1, kBegin + seconds(5) + milliseconds(500 * i));
  EXPECT_DOUBLE_EQ(meter.most(kBegin + seconds(15)), 20);
  EXPECT_DOUBLE_EQ(meter.most(kBegin + seconds(59)), 20);
  EXPECT_DOUBLE_EQ(meter.most(kBegin + seconds(60)), 2);
  EXPECT_DOUBLE_EQ(meter.most(kBegin + seconds(80)), 0);
}

TEST(RateMeters, CountAmountsAndForgetSpansThatWereCountedOver) {
  RateMeter meter;
  meter.note(50, kBegin);
  EXPECT_DOUBLE_EQ(meter.most(kBegin), 10);
  meter.note(5, kBegin + seconds(60));  // in the place of the first
  EXPECT_DOUBLE_EQ(meter.most(kBegin + seconds(60)), 1);
}

}  // namespace
}  // namespace lamina
