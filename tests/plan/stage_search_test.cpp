#include "plan/stage_search.h"

#include "plan/random_problem.h"

#include <chrono>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

Deadline soon() { return Deadline(std::chrono::minutes(1)); }

// With any prices, however bad, a search that drops nothing finds the best, and a narrow one none better.
TEST(StageSearch, IsExactWithAnyPricesAndFeasibleAtAnyWidth) {
  std::mt19937 random(21);
  int missed = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 0.8});
    const std::optional<double> best = brute_force(problem);
    const StageCosts costs(problem);
    const StageGraph graph(costs);
    StageBound bound(graph);
    std::vector<double> prices;
    for (std::size_t price = 0; price < bound.prices().size(); ++price)
      prices.push_back(std::uniform_real_distribution<double>(0, 1)(random));
    bound.solve(prices);
    const StageSearchResult wide = search_stages(bound, {100'000, 100'000}, soon());
    EXPECT_TRUE(wide.complete);
    ASSERT_EQ(wide.placement.has_value(), best.has_value()) << "case " << i;
    const StageSearchResult narrow = search_stages(bound, {1, 100'000}, soon());
    if (!best) continue;
    EXPECT_NEAR(wide.placement->latency, *best, 1e-9) << "case " << i;
    EXPECT_TRUE(is_feasible(problem, *wide.placement)) << "case " << i;
    if (!narrow.placement || narrow.placement->latency > *best * (1 + 1e-9)) {
      EXPECT_FALSE(narrow.complete) << "case " << i;
      ++missed;
    }
    if (narrow.placement) {
      EXPECT_TRUE(is_feasible(problem, *narrow.placement)) << "case " << i;
    }
  }
  EXPECT_GT(missed, 50);
}

}  // namespace
}  // namespace lamina
