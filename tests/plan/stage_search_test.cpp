#include "plan/stage_search.h"

#include "plan/neighbourhoods.h"
#include "plan/random_problem.h"

#include <chrono>
#include <cmath>
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

TEST(Neighbourhoods, KeepWhatFitsAndOnlyMakeItFaster) {
  std::mt19937 random(22);
  int faster = 0;
  for (int i = 0; i < 200; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.6});
    std::optional<Placement> slowest;
    for_every_placement(problem, [&](const Placement& placement) {
      if (!slowest || placement.latency > slowest->latency) slowest = placement;
    });
    if (!slowest) continue;
    const std::vector<double> prices(MemoryPrices(StageCosts(problem)).size(), 0);
    const Placement better = improve_by_parts(problem, *slowest, prices, 20, soon());
    EXPECT_TRUE(is_feasible(problem, better)) << "case " << i;
    EXPECT_LE(better.latency, slowest->latency);
    EXPECT_GE(better.latency, *brute_force(problem) - 1e-9);
    if (better.latency < slowest->latency * 0.99) ++faster;
  }
  EXPECT_GT(faster, 50);
}

// What is kept stays: the rest is solved as well as brute force does with the same stages.
TEST(StageCosts, KeepsTheStagesItIsToldTo) {
  std::mt19937 random(23);
  int checked = 0;
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 3, .max_pieces = 6, .tightness = 1});
    std::optional<Placement> any;
    for_every_placement(problem, [&](const Placement& placement) {
      if (placement.stages.size() > 2) any = placement;
    });
    if (!any) continue;
    std::vector<bool> kept(any->stages.size(), false);
    kept[any->stages.size() / 2] = true;
    const PlacedStage& stage = any->stages[any->stages.size() / 2];
    double best = std::numeric_limits<double>::infinity();
    for_every_placement(problem, [&](const Placement& placement) {
      for (const PlacedStage& other : placement.stages) {
        const bool same = other.first_piece == stage.first_piece && other.end_piece == stage.end_piece &&
                          other.replicas.front().device == stage.replicas.front().device;
        if (same) best = std::min(best, placement.latency);
      }
    });
    StageCosts costs(problem);
    costs.keep(any->stages, kept);
    const StageGraph graph(costs);
    StageBound bound(graph);
    bound.solve(std::vector<double>(bound.prices().size(), 0));
    const StageSearchResult found = search_stages(bound, {100'000, 100'000}, soon());
    ASSERT_TRUE(found.placement) << "case " << i;
    EXPECT_NEAR(found.placement->latency, best, 1e-9) << "case " << i;
    ++checked;
  }
  EXPECT_GT(checked, 50);
}

}  // namespace
}  // namespace lamina
