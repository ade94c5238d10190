#include "plan/stage_search.h"

#include "plan/random_problem.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <random>
#include <utility>
#include <vector>

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

std::size_t device_of(const PlacedStage& stage) { return stage.replicas.front().device; }

// Whether all pieces of the stage are in one stage on its machine.
bool keeps(const Placement& placement, const PlacedStage& stage) {
  return std::any_of(placement.stages.begin(), placement.stages.end(), [&](const PlacedStage& placed) {
    return placed.first_piece <= stage.first_piece && stage.end_piece <= placed.end_piece &&
           device_of(placed) == device_of(stage);
  });
}

bool has_all(const Placement& placement, const std::vector<PlacedStage>& fixed) {
  return std::all_of(fixed.begin(), fixed.end(), [&](const PlacedStage& stage) {
    return std::any_of(placement.stages.begin(), placement.stages.end(), [&](const PlacedStage& placed) {
      return placed.first_piece == stage.first_piece && placed.end_piece == stage.end_piece &&
             device_of(placed) == device_of(stage);
    });
  });
}

StageGraph without_overlaps(const StageCosts& costs, const std::vector<PlacedStage>& fixed) {
  std::vector<StageGraph::Stage> stages;
  for (std::uint32_t cut = 0; cut < costs.pieces(); ++cut) {
    for (std::uint32_t kind = 0; kind < costs.kinds(); ++kind) {
      costs.for_each_stage(
          cut, kind, costs.budget(kind), [&](std::size_t end, double seconds, std::uint64_t bytes) {
            const bool fits = std::all_of(fixed.begin(), fixed.end(), [&](const PlacedStage& stage) {
              const bool is_it = stage.first_piece == cut && stage.end_piece == end &&
                                 costs.kind_of(device_of(stage)) == kind;
              return is_it || end <= stage.first_piece || stage.end_piece <= cut;
            });
            if (fits) stages.push_back({cut, static_cast<std::uint32_t>(end), kind, seconds, bytes});
          });
    }
  }
  return StageGraph::of(costs, std::move(stages));
}

// Some stages of a placement have their machine: of all that have them there a wide search finds the best.
TEST(StageSearch, LeavesFixedStagesWhereTheyAre) {
  std::mt19937 random(23);
  int compared = 0;
  int faster = 0;
  for (int i = 0; i < 1000; ++i) {
    PlacementProblem problem = random_problem(random, {.tightness = 0.8});
    std::vector<Placement> all;
    for_every_placement(problem, [&](const Placement& placement) {
      if (placement.stages.size() > 1) all.push_back(placement);
    });
    if (all.empty()) continue;
    const Placement& some = all[random() % all.size()];
    std::vector<PlacedStage> chosen;
    FixedStages fixed;
    for (const PlacedStage& stage : some.stages) {
      if (random() % 2 != 0) continue;
      chosen.push_back(stage);
      fixed[stage.first_piece] = {
          device_of(stage), stage_memory(problem, device_of(stage), stage.first_piece, stage.end_piece)};
    }
    double best = std::numeric_limits<double>::infinity();
    for (const Placement& placement : all) {
      if (has_all(placement, chosen)) best = std::min(best, placement.latency);
    }
    if (!chosen.empty()) problem.devices[device_of(chosen.front())].required = random() % 2 == 0;
    const StageCosts costs(problem);
    const StageGraph graph = without_overlaps(costs, chosen);
    StageBound bound(graph);
    bound.solve(std::vector<double>(bound.prices().size(), 0.1));
    const StageSearchResult found = search_stages(bound, {100'000, 100'000}, soon(), fixed);
    EXPECT_TRUE(found.complete);
    ASSERT_TRUE(found.placement) << "case " << i;
    EXPECT_TRUE(is_feasible(problem, *found.placement)) << "case " << i;
    EXPECT_LE(found.placement->latency, best + 1e-9) << "case " << i;
    for (const PlacedStage& stage : chosen) EXPECT_TRUE(keeps(*found.placement, stage)) << "case " << i;
    ++compared;
    if (found.placement->latency < some.latency * (1 - 1e-9)) ++faster;
  }
  EXPECT_GT(compared, 300);
  EXPECT_GT(faster, 50);
}

}  // namespace
}  // namespace lamina
