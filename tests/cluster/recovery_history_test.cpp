#include "cluster/recovery_history.h"

#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(RecoveryHistories, TellOfEachLossFromItsBeginToItsEnd) {
  RecoveryHistory history;
  EXPECT_EQ(history.seconds(), 0);
  EXPECT_EQ(history.end(5), 0) << "nothing was lost";
  history.begin("'a' is gone", 5);
  EXPECT_EQ(history.status().state, "recovering");
  history.begin("'b' is gone", 6);  // part of the same
  history.add_lost({"b"});
  history.add_lost({"a", "b"});
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  EXPECT_GE(history.seconds(), 0.005);
  const double seconds = history.end(9);
  EXPECT_GE(seconds, 0.005);
  history.add_lost({"c"});  // none is under way
  const RecoveryStatus status = history.status();
  EXPECT_EQ(status.state, "serving");
  EXPECT_EQ(status.recoveries, 1U);
  EXPECT_EQ(status.last_seconds, seconds);
  ASSERT_EQ(status.last.size(), 1U);
  EXPECT_EQ(status.last[0].reason, "'a' is gone");
  EXPECT_EQ(status.last[0].lost, (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(status.last[0].seconds, seconds);
  EXPECT_EQ(status.last[0].requests_resent, 4U);
}

TEST(RecoveryHistories, KeepTheLastAlone) {
  RecoveryHistory history;
  for (int i = 0; i < 40; ++i) history.add_change({}, std::to_string(i), 0, 1);
  const RecoveryStatus status = history.status();
  EXPECT_EQ(status.replans, 40U);
  EXPECT_EQ(status.recoveries, 0U);
  ASSERT_EQ(status.last.size(), kMostRecoveries);
  EXPECT_EQ(status.last.front().reason, "24");
  EXPECT_EQ(status.last.back().reason, "39");
}

}  // namespace
}  // namespace lamina
