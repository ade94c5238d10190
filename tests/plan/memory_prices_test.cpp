#include "plan/memory_prices.h"

#include "plan/random_problem.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(MemoryPrices, BoundNoBetterThanTheBestAndNoWorseThanWithoutMemory) {
  std::mt19937 random(11);
  int raised = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 0.8});
    const std::optional<double> best = brute_force(problem);
    if (!best) continue;
    const MemoryPrices prices = find_memory_prices(problem, 60);
    EXPECT_LE(prices.lower_bound, *best * (1 + 1e-9)) << "case " << i;
    PlacementProblem roomy = problem;
    for (PlanDevice& device : roomy.devices) device.memory_budget = std::uint64_t{1} << 40U;
    const double without = *brute_force(roomy);
    EXPECT_GE(prices.lower_bound, without * (1 - 1e-9)) << "case " << i;
    if (prices.lower_bound > without * 1.01) ++raised;
    if (prices.feasible) {
      EXPECT_TRUE(is_feasible(problem, *prices.feasible));
      EXPECT_GE(prices.feasible->latency, *best * (1 - 1e-9));
    }
  }
  EXPECT_GT(raised, 50);  // prices must have had something to do
}

}  // namespace
}  // namespace lamina
