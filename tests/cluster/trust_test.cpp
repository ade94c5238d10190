#include "cluster/trust.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::minutes;
using std::chrono::seconds;

class TrustedMachines : public testing::Test {
 protected:
  // How long the machine is left out from now on, to the millisecond: it is trusted from then on.
  void expect_left_out(seconds pause) {
    EXPECT_EQ(trust_.is_trusted("a", now_), pause == seconds(0));
    EXPECT_TRUE(trust_.is_trusted("a", now_ + pause));
    if (pause > seconds(0)) {
      EXPECT_FALSE(trust_.is_trusted("a", now_ + pause - milliseconds(1)));
      EXPECT_EQ(trust_.next_change(now_), now_ + pause);
    } else {
      EXPECT_FALSE(trust_.next_change(now_));
    }
    EXPECT_FALSE(trust_.next_change(now_ + pause));
  }

  Clock::time_point now_ = Clock::time_point(std::chrono::hours(100));
  Trust trust_;
};

TEST_F(TrustedMachines, AreAllThatNeverFailed) {
  EXPECT_TRUE(trust_.is_trusted("a", now_));
  EXPECT_FALSE(trust_.next_change(now_));
}

TEST_F(TrustedMachines, AreLeftOutLongerAfterEachFailureButTheFirst) {
  for (const int pause : {0, 1, 2, 4, 8, 16, 30, 30, 30}) {
    SCOPED_TRACE(pause);
    trust_.note_failure("a", now_);
    expect_left_out(seconds(pause));
    now_ += seconds(pause);
  }
}

TEST_F(TrustedMachines, AreForgivenAMinuteAfterTheirTimeOut) {
  for (int i = 0; i < 6; ++i) trust_.note_failure("a", now_);  // left out for 16 s
  now_ += seconds(16) + minutes(1);
  trust_.note_failure("a", now_);
  expect_left_out(seconds(30));  // a minute to the dot is not yet over
  now_ += seconds(30) + minutes(1) + milliseconds(1);
  trust_.note_failure("a", now_);
  expect_left_out(seconds(0));
}

TEST_F(TrustedMachines, AreLeftOutAtOnceWhenTheyRefuse) {
  trust_.note_refusal("a", now_);
  expect_left_out(seconds(1));
  trust_.note_refusal("a", now_);
  expect_left_out(seconds(2));
}

TEST_F(TrustedMachines, MayBlipTwiceAMinute) {
  for (int i = 0; i < 2; ++i) {
    trust_.note_blip("a", now_);
    trust_.note_blip("a", now_ + seconds(1));
    expect_left_out(seconds(0));
    now_ += minutes(1) + seconds(2);
  }
  trust_.note_blip("a", now_);
  trust_.note_blip("a", now_);
  trust_.note_blip("a", now_);
  expect_left_out(seconds(1));
  // The strikes begin anew, the pauses do not.
  trust_.note_blip("a", now_);
  trust_.note_blip("a", now_);
  expect_left_out(seconds(1));
  trust_.note_blip("a", now_);
  expect_left_out(seconds(2));
}

TEST_F(TrustedMachines, AreJudgedEachForItself) {
  trust_.note_refusal("a", now_);
  trust_.note_refusal("b", now_);
  trust_.note_refusal("b", now_);
  EXPECT_TRUE(trust_.is_trusted("c", now_));
  EXPECT_EQ(trust_.next_change(now_), now_ + seconds(1));
  EXPECT_EQ(trust_.next_change(now_ + seconds(1)), now_ + seconds(2));
  EXPECT_FALSE(trust_.next_change(now_ + seconds(2)));
}

}  // namespace
}  // namespace lamina
