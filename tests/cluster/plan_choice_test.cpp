#include "cluster/plan_choice.h"

#include "base/error.h"

#include <future>
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

  std::optional<PlanChoice::Improvement> improve(const Conditions& now, const std::string& serving) {
    return choice_.improve(now, serving, [] { return false; });
  }

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
  EXPECT_FALSE(improve({{"a"}, {}}, "ab"));
}

TEST_F(ChosenPlans, AfterAStopgapAreLookedForOnce) {
  stopgap_ = plan_on("stopgap", {"a"});
  best_ = plan_on("best", {"a"}, kClearGain);
  const Conditions left{{"a"}, {}};
  EXPECT_EQ(choice_.after_loss(left, plan_on("ab", {"a", "b"})).name, "stopgap");
  EXPECT_EQ(asked_, 0);
  const std::optional<PlanChoice::Improvement> better = improve(left, "stopgap");
  ASSERT_TRUE(better);
  EXPECT_EQ(better->blueprint.name, "best");
  EXPECT_EQ(better->reason, "the last plan was the soonest to load");
  EXPECT_FALSE(improve(left, "best"));
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
  EXPECT_FALSE(improve({all, {{"c", 3}}}, "abc"));
  best_.gain = kClearGain;
  EXPECT_FALSE(improve({all, {{"c", 3}}}, "abc")) << "what was considered is considered again";
  EXPECT_TRUE(improve({all, {{"c", 4}}}, "abc"));
  // A machine that is new is to be used, however little that gains.
  best_.gain = 0;
  EXPECT_TRUE(improve({{"a", "b", "c", "d"}, {{"c", 4}}}, "abc"));
  EXPECT_FALSE(improve({{"a", "b", "c"}, {{"c", 4}}}, "best")) << "it serves already";
}

TEST_F(ChosenPlans, AreLookedForAgainWhereLookingWasGivenUp) {
  std::promise<void> known;
  const auto wait = [end = known.get_future().share()] { end.wait(); };
  PlanChoice choice([wait](const Conditions&, const std::string&) { return wait(), plan_on("best", {"d"}); },
                    {});
  choice.begin_with({{"a"}, {}});
  const Conditions more{{"a", "d"}, {}};
  EXPECT_FALSE(choice.improve(more, "a", [] { return true; }));
  EXPECT_TRUE(choice.is_planning());
  known.set_value();
  EXPECT_TRUE(choice.improve(more, "a", [] { return false; }));
  EXPECT_FALSE(choice.is_planning());
}

TEST_F(ChosenPlans, AreLookedForAgainWhereTheyCouldNotBeRun) {
  const Conditions more{{"a", "b", "c", "d"}, {}};
  best_ = plan_on("best", {"d"});
  ASSERT_TRUE(improve(more, "abc"));
  choice_.take_back();
  const std::optional<PlanChoice::Improvement> again = improve(more, "abc");
  ASSERT_TRUE(again);
  EXPECT_EQ(again->reason, "'d' is there again");
}

}  // namespace
}  // namespace lamina
