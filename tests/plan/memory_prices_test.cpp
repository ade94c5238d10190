#include "plan/memory_prices.h"

#include "plan/random_problem.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// The bound with the memory of so many kinds remembered.
double bound_of(const PlacementProblem& problem, std::size_t remembered) {
  const StageCosts costs(problem);
  std::vector<std::size_t> kinds;
  for (std::size_t kind = 0; kind < std::min(remembered, costs.kinds()); ++kind) kinds.push_back(kind);
  StageBound bound(costs, MemoryLevels(costs, kinds));
  raise_memory_prices(bound, costs, std::vector<double>(costs.kinds(), 0),
                      std::numeric_limits<double>::infinity(), 60, Deadline(std::chrono::minutes(1)));
  return bound.lower_bound();
}

TEST(MemoryPrices, BoundNoBetterThanTheBestAndNoWorseThanWithoutMemory) {
  std::mt19937 random(11);
  int raised = 0;
  int raised_by_levels = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 0.8});
    const std::optional<double> best = brute_force(problem);
    if (!best) continue;
    PlacementProblem roomy = problem;
    for (PlanDevice& device : roomy.devices) device.memory_budget = std::uint64_t{1} << 40U;
    const double without = *brute_force(roomy);
    const double bound = bound_of(problem, 0);
    EXPECT_LE(bound, *best * (1 + 1e-9)) << "case " << i;
    EXPECT_GE(bound, without * (1 - 1e-9)) << "case " << i;
    if (bound > without * 1.01) ++raised;
    const double with_levels = bound_of(problem, 4);
    EXPECT_LE(with_levels, *best * (1 + 1e-9)) << "case " << i;
    if (with_levels > bound * 1.001) ++raised_by_levels;
  }
  EXPECT_GT(raised, 50);  // prices and levels must have had something to do
  EXPECT_GT(raised_by_levels, 10);
}

}  // namespace
}  // namespace lamina
