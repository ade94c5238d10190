#include "plan/many_machines.h"

#include "base/error.h"
#include "plan/machine_prices.h"
#include "plan/pipelines.h"
#include "plan/random_problem.h"

#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

double best_period(const PlacementProblem& problem) {
  double best = std::numeric_limits<double>::infinity();
  for_every_pipeline(problem, 1,
                     [&](const Placement& placement) { best = std::min(best, placement.period); });
  return best;
}

TEST(ManyMachines, TheBoundIsNeverAboveBruteForceNorThePlanBelow) {
  std::mt19937 random(5);
  int found_best = 0;
  int possible = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.forbidden = 0.1, .wires = i % 3 == 0 ? 1U : 0U, .messages = i % 2 == 0});
    const double best = best_period(problem);
    if (!std::isfinite(best)) {
      EXPECT_THROW(find_rate_of_many(problem, {}), Error) << "case " << i;
      continue;
    }
    ++possible;
    const PlannedPlacement planned = find_rate_of_many(problem, {});
    ASSERT_TRUE(is_feasible(problem, planned.placement)) << "case " << i;
    EXPECT_LE(planned.lower_bound, best * (1 + 1e-9)) << "case " << i;
    EXPECT_GE(planned.placement.period, best * (1 - 1e-9)) << "case " << i;
    found_best += planned.placement.period <= best * (1 + 2e-3) ? 1 : 0;
  }
  EXPECT_GT(possible, 300);
  EXPECT_GT(found_best, possible * 95 / 100);
}

TEST(ManyMachines, ComesNearTheExactPlanOfTwelve) {
  std::mt19937 random(6);
  for (int i = 0; i < 5; ++i) {
    const PlacementProblem problem = random_problem(
        random,
        {.max_devices = 12, .max_pieces = 60, .tightness = 3, .least_devices = 12, .least_pieces = 60});
    const PlannedPlacement exact = find_highest_rate(problem, {});
    const PlannedPlacement planned = find_rate_of_many(problem, {});
    EXPECT_LE(planned.lower_bound, exact.placement.period * (1 + 1e-9));
    EXPECT_GE(planned.placement.period, exact.placement.period * (1 - 1e-9));
    EXPECT_LE(planned.placement.period, exact.placement.period * 1.1) << "case " << i;
  }
}

TEST(ManyMachines, PricesOfAPossiblePeriodForbidNothing) {
  std::mt19937 random(7);
  for (int i = 0; i < 500; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 1.5});
    const double best = best_period(problem);
    if (!std::isfinite(best)) continue;
    EXPECT_TRUE(find_machine_prices(problem, best, Deadline(std::chrono::seconds(10))).possible)
        << "case " << i;
  }
}

TEST(ManyMachines, FortyDifferentOnesGetAPlanAndABound) {
  std::mt19937 random(8);
  const PlacementProblem problem = random_problem(
      random,
      {.max_devices = 40, .max_pieces = 120, .tightness = 3, .least_devices = 40, .least_pieces = 120});
  ASSERT_FALSE(is_exact_for_rates(problem));
  const PlannedPlacement planned = find_highest_rate(problem, {});
  EXPECT_TRUE(is_feasible(problem, planned.placement));
  EXPECT_LE(planned.lower_bound, planned.placement.period);
  EXPECT_THROW(find_highest_rate(problem, {.replicas = 2}), Error);
  EXPECT_THROW(find_highest_rate(problem, {.latency = planned.placement.latency / 1e6}), Error);
}

}  // namespace
}  // namespace lamina
