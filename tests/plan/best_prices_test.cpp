#include "plan/best_prices.h"

#include "plan/random_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

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

// Of some stages at once nearly always the same bound comes as of all.
TEST(BestPrices, OfPartsAreAsGoodAsOfAllStages) {
  std::mt19937 random(14);
  int compared = 0;
  int as_good = 0;
  for (int i = 0; i < 40; ++i) {
    const PlacementProblem problem = random_problem(
        random,
        {.max_devices = 6, .max_pieces = 30, .tightness = 0.3, .least_devices = 6, .least_pieces = 30});
    const StageCosts costs(problem);
    const StageGraph graph(costs);
    StageBound all(graph);
    BundleMethod all_prices(std::vector<double>(all.prices().size(), 0));
    const PriceLimits limits = {400, 1e-4, std::numeric_limits<double>::infinity(), 200};
    raise_prices(all, all_prices, limits, Deadline(std::chrono::minutes(1)));
    if (!std::isfinite(all.lower_bound()) || all.lower_bound() > 1e3) continue;
    ++compared;
    StageBound partly(graph);
    BundleMethod prices(std::vector<double>(partly.prices().size(), 0));
    const double first = [&] {
      partly.solve(prices.prices());
      return partly.lower_bound();
    }();
    raise_prices_partly(partly, prices, limits, Deadline(std::chrono::minutes(1)));
    EXPECT_EQ(partly.prices().prices(), prices.prices());
    EXPECT_GE(partly.lower_bound(), first) << "case " << i;
    if (std::abs(partly.lower_bound() - all.lower_bound()) <= 0.005 * all.lower_bound()) ++as_good;
    // It is what all stages say at these prices.
    StageBound again(graph);
    again.solve(prices.prices());
    EXPECT_EQ(again.lower_bound(), partly.lower_bound()) << "case " << i;
  }
  EXPECT_GT(compared, 20);
  EXPECT_GE(as_good, compared * 9 / 10);
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

// Of what fixed stages leave of machines of one kind, a stage takes where that is cheapest.
TEST(MemoryPrices, AStageIsOnTheCheapestMachineThatItFits) {
  std::mt19937 random(13);
  PlacementProblem problem = random_problem(random, {.max_devices = 4, .least_devices = 4});
  problem.source = 0;
  make_alike(problem);
  for (PlanDevice& device : problem.devices) device.memory_budget = 1'000;
  const StageCosts costs(problem);
  const std::vector<MemoryPool> pools = memory_pools(costs, {{0, {1, 300}}, {2, {3, 300}}, {4, {1, 200}}});
  ASSERT_EQ(pools.size(), 4U);  // the source, and of the three others each what it has left
  MemoryPrices prices(costs, pools);
  const std::size_t measures = prices.size() / pools.size();
  for (int i = 0; i < 1'000; ++i) {
    std::vector<double> some;
    for (std::size_t price = 0; price < prices.size(); ++price)
      some.push_back(std::uniform_real_distribution<double>(0, 1)(random));
    prices.set(some);
    const std::uint64_t bytes = random() % 1'000 + 1;
    // Steps are looked up by shares of 1/360, rounded down.
    const auto cheapest = [&](double rounding) {
      double least = std::numeric_limits<double>::infinity();
      for (std::size_t pool = 0; pool < pools.size(); ++pool) {
        if (pools[pool].kind != 1 || bytes > pools[pool].free) continue;
        const double share = double(bytes) / double(pools[pool].free);
        double price = some[pool * measures] * share;
        for (std::size_t measure = 1; measure < measures; ++measure) {
          const double steps = std::ceil(double(measure + 1) * (share - rounding)) - 1;
          price += some[pool * measures + measure] * std::max(0.0, steps) / double(measure);
        }
        least = std::min(least, price);
      }
      return least;
    };
    EXPECT_LE(prices.of(1, bytes), cheapest(0) + 1e-9) << bytes << " bytes";
    EXPECT_GE(prices.of(1, bytes), cheapest(1.0 / 360) - 1e-9) << bytes << " bytes";
    double of_everything = 0;
    for (std::size_t price = 0; price < some.size(); ++price)
      of_everything += some[price] * double(pools[price / measures].machines);
    EXPECT_NEAR(prices.of_everything(), of_everything, 1e-9);
    std::vector<double> taken = prices.nothing_taken();
    prices.take(taken, 1, bytes);
    double paid = of_everything;
    for (std::size_t price = 0; price < taken.size(); ++price) paid += taken[price] * some[price];
    EXPECT_NEAR(paid, prices.of(1, bytes), 1e-9) << bytes << " bytes";
  }
}

}  // namespace
}  // namespace lamina
