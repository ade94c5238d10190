#include "plan/measured_choice.h"

#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

Plan measured(const std::string& name, double latency, double period) {
  Plan plan;
  plan.model = name;
  plan.measured = {latency, period};
  return plan;
}

std::string order(std::vector<Plan> plans, const PlanningRequest& request) {
  order_by_measurement(plans, request);
  std::string names;
  for (const Plan& plan : plans) names += plan.model;
  return names;
}

TEST(MeasuredChoice, TheObjectivesFigureDecides) {
  const std::vector<Plan> plans = {measured("a", 3, 1), measured("b", 1, 3), measured("c", 2, 2)};
  EXPECT_EQ(order(plans, {.objective = Objective::latency}), "bca");
  EXPECT_EQ(order(plans, {.objective = Objective::throughput}), "acb");
  EXPECT_EQ(order(plans, {.objective = Objective::memory}), "abc");
}

TEST(MeasuredChoice, PlansThatKeepWhatWasAskedForComeFirst) {
  const std::vector<Plan> plans = {measured("a", 3, 1), measured("b", 1, 3), measured("c", 2, 2)};
  EXPECT_EQ(order(plans, {.objective = Objective::throughput, .deadline = 2.5}), "cba");
  EXPECT_EQ(order(plans, {.objective = Objective::latency, .period = 2.5}), "cab");
  EXPECT_TRUE(keeps_demands(plans[2], {.deadline = 2, .period = 2}));
  EXPECT_FALSE(keeps_demands(plans[2], {.deadline = 1.9, .period = 2}));
}

TEST(MeasuredChoice, PlansThatCouldNotRunComeLast) {
  Plan failed;
  failed.model = "x";
  EXPECT_EQ(order({failed, measured("a", 2, 1), measured("b", 1, 1)}, {.deadline = 0.5}), "bax");
}

}  // namespace
}  // namespace lamina
