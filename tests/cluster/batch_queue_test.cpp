#include "cluster/batch_queue.h"

#include <chrono>
#include <cstdint>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using Numbers = std::vector<std::uint64_t>;

const Clock::time_point kNow{std::chrono::hours(1)};
constexpr std::chrono::milliseconds kStep{1};

TEST(WaitingBatches, HoldAllThatFitInTheOrderInWhichTheyCame) {
  BatchQueue queue(8);
  EXPECT_TRUE(queue.empty());
  queue.add(1, 3, kNow);
  queue.add(2, 3, kNow);
  EXPECT_EQ(queue.next().requests, (Numbers{1, 2}));
  EXPECT_FALSE(queue.next().full) << "two rows more would fit";
  queue.add(3, 3, kNow);
  queue.add(4, 1, kNow);
  EXPECT_EQ(queue.next().requests, (Numbers{1, 2})) << "nothing overtakes a request that does not fit";
  EXPECT_TRUE(queue.next().full);
  queue.remove(1);
  queue.remove(1);
  EXPECT_EQ(queue.next().requests, (Numbers{2, 3, 4}));
  EXPECT_FALSE(queue.next().full);
  queue.add(5, 1, kNow);
  EXPECT_EQ(queue.next().requests, (Numbers{2, 3, 4, 5}));
  EXPECT_TRUE(queue.next().full) << "no row more would fit";
}

TEST(WaitingBatches, HoldAloneWhatIsTooLargeForAnyOther) {
  BatchQueue queue(8);
  queue.add(1, 20, kNow);
  EXPECT_TRUE(queue.next().full);
  queue.add(2, 1, kNow);
  EXPECT_EQ(queue.next().requests, Numbers{1});
}

TEST(WaitingBatches, LeaveWhenOneOfThemHasWaitedEnough) {
  BatchQueue queue(8);
  EXPECT_EQ(queue.next().leave_by, Clock::time_point::max());
  queue.add(1, 4, kNow + 2 * kStep);
  queue.add(2, 2, kNow + kStep);
  queue.add(3, 4, kNow);  // does not fit
  EXPECT_EQ(queue.next().leave_by, kNow + kStep);
}

}  // namespace
}  // namespace lamina
