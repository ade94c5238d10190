#include "cluster/plan_choice.h"

#include "base/error.h"

#include <optional>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using Names = std::set<std::string>;

// A stage on each machine.
Blueprint plan_on(const std::string& name, const Names& machines, double gain = 0) {
  Blueprint blueprint{name, {}, {}, gain};
  for (const std::string& machine : machines) {
    HeadStage& stage = blueprint.stages.emplace_back();
    stage.replicas.push_back({machine, "", 1, 0});
  }
  return blueprint;
}

class ChosenPlans : public testing::Test {
 protected:
  ChosenPlans() { choice_.begin_with({{"a", "b", "c"}, {}}); }

  Blueprint best_;  // what the planner says; where it has no stages, nothing fits
  std::optional<Blueprint> stopgap_;
  int asked_ = 0;
  PlanChoice choice_{[this](const Conditions&, const std::string&) {
                       ++asked_;
                       if (best_.stages.empty()) fail(ErrorCode::out_of_memory, "nothing fits");
                       return best_;
                     },
                     [this](const Conditions&, const std::string&) { return stopgap_; }};
};

TEST_F(ChosenPlans, AfterALossAreTheSameWhereAllTheirMachinesAreThere) {
  const Blueprint lost = plan_on("ab", {"a", "b"});
  EXPECT_EQ(choice_.after_loss({{"a", "b"}, {}}, lost).name, "ab");
  EXPECT_EQ(asked_, 0);
  best_ = plan_on("a", {"a"});
  EXPECT_EQ(choice_.after_loss({{"a"}, {}}, lost).name, "a");
  EXPECT_EQ(asked_, 1);
}

TEST_F(ChosenPlans, WhereNoneFitsAreAnError) {
  EXPECT_THROW(choice_.after_loss({{"a"}, {}}, plan_on("ab", {"a", "b"})), Error);
  EXPECT_FALSE(choice_.improve({{"a"}, {}}, "ab"));
}

TEST_F(ChosenPlans, AfterAStopgapAreLookedForOnce) {
  stopgap_ = plan_on("stopgap", {"a"});
  best_ = plan_on("best", {"a"}, kClearGain);
  const Conditions left{{"a"}, {}};
  EXPECT_EQ(choice_.after_loss(left, plan_on("ab", {"a", "b"})).name, "stopgap");
  EXPECT_EQ(asked_, 0);
  const std::optional<PlanChoice::Improvement> better = choice_.improve(left, "stopgap");
  ASSERT_TRUE(better);
  EXPECT_EQ(better->blueprint.name, "best");
  EXPECT_EQ(better->reason, "the last plan was the soonest to load");
  EXPECT_FALSE(choice_.improve(left, "best"));
  EXPECT_EQ(asked_, 1);
}

TEST_F(ChosenPlans, HaveNoStopgapWhereNothingServedYet) {
  stopgap_ = plan_on("stopgap", {"a"});
  best_ = plan_on("best", {"a"});
  EXPECT_EQ(choice_.after_loss({{"a"}, {}}, {}).name, "best");
}

TEST_F(ChosenPlans, OnTheSameMachinesHaveToBeClearlyBetter) {
  const Names all{"a", "b", "c"};
  best_ = plan_on("best", {"a", "b"}, kClearGain - 0.01);
  EXPECT_FALSE(choice_.improve({all, {{"c", 3}}}, "abc"));
  best_.gain = kClearGain;
  EXPECT_FALSE(choice_.improve({all, {{"c", 3}}}, "abc")) << "what was considered is considered again";
  EXPECT_TRUE(choice_.improve({all, {{"c", 4}}}, "abc"));
  // A machine that is new is to be used, however little that gains.
  best_.gain = 0;
  EXPECT_TRUE(choice_.improve({{"a", "b", "c", "d"}, {{"c", 4}}}, "abc"));
  EXPECT_FALSE(choice_.improve({{"a", "b", "c"}, {{"c", 4}}}, "best")) << "it serves already";
}

TEST_F(ChosenPlans, AreLookedForAgainWhereTheyCouldNotBeRun) {
  const Conditions more{{"a", "b", "c", "d"}, {}};
  best_ = plan_on("best", {"d"});
  ASSERT_TRUE(choice_.improve(more, "abc"));
  choice_.take_back();
  const std::optional<PlanChoice::Improvement> again = choice_.improve(more, "abc");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reason, "'d' is there again");
}

}  // namespace
}  // namespace lamina
