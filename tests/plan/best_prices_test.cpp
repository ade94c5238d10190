#include "plan/best_prices.h"

#include "plan/random_problem.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

double bound_of(const PlacementProblem& problem) {
  const StageCosts costs(problem);
  const StageGraph graph(costs);
  StageBound bound(graph);
  BundleMethod bundle(std::vector<double>(bound.prices().size(), 0));
  raise_prices(bound, bundle, {100, 1e-3, std::numeric_limits<double>::infinity()},
               Deadline(std::chrono::minutes(1)));
  EXPECT_EQ(bound.prices().prices(), bundle.prices());
  return bound.lower_bound();
}

TEST(BestPrices, BoundNoBetterThanTheBestAndNoWorseThanWithoutMemory) {
  std::mt19937 random(11);
  int raised = 0;
  int reached = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 0.8});
    const std::optional<double> best = brute_force(problem);
    if (!best) continue;
    PlacementProblem roomy = problem;
    for (PlanDevice& device : roomy.devices) device.memory_budget = std::uint64_t{1} << 40U;
    const double without = *brute_force(roomy);
    const double bound = bound_of(problem);
    EXPECT_LE(bound, *best * (1 + 1e-9)) << "case " << i;
    EXPECT_GE(bound, without * (1 - 1e-9)) << "case " << i;
    if (bound > without * 1.01) ++raised;
    if (without < *best * 0.99 && bound > *best * (1 - 1e-4)) ++reached;
  }
  EXPECT_GT(raised, 50);  // prices must have had something to do
  EXPECT_GT(reached, 50);
}

// Stages that one machine can hold together never take more than it has of any measure; stages that together
// are too large do so of one measure at least.
TEST(MemoryPrices, MeasuresCountNoMoreThanFits) {
  std::mt19937 random(12);
  PlacementProblem problem = random_problem(random, {.max_devices = 1, .least_devices = 1});
  problem.devices.front().memory_budget = 1'000'003;
  const StageCosts costs(problem);
  const MemoryPrices prices(costs);
  int full = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::vector<double> taken = prices.nothing_taken();
    std::uint64_t left = problem.devices.front().memory_budget;
    std::uint64_t bytes = 0;
    for (int stage = 0; stage < 6 && left > 0; ++stage) {
      bytes = std::uniform_int_distribution<std::uint64_t>(1, left)(random);
      if (stage == 5) bytes = left;
      prices.take(taken, 0, bytes);
      left -= bytes;
    }
    for (const double measure : taken) ASSERT_LE(measure, 1e-9) << "case " << i;
    if (left == 0) ++full;
    prices.take(taken, 0, left + 1'000);
    EXPECT_GT(taken.front(), 0);
  }
  EXPECT_GT(full, 1'000);
}

}  // namespace
}  // namespace lamina
