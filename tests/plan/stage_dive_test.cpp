#include "plan/stage_dive.h"

#include "plan/best_prices.h"
#include "plan/listed_stages.h"
#include "plan/neighbourhoods.h"
#include "plan/random_problem.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

Deadline soon() { return Deadline(std::chrono::minutes(1)); }

std::optional<Placement> slowest_placement(const PlacementProblem& problem) {
  std::optional<Placement> slowest;
  for_every_placement(problem, [&](const Placement& placement) {
    if (!slowest || placement.latency > slowest->latency) slowest = placement;
  });
  return slowest;
}

bool has(const Placement& placement, const PlacedStage& stage, const StageCosts& costs) {
  const auto kind = [&](const PlacedStage& of) { return costs.kind_of(of.replicas.front().device); };
  return std::any_of(placement.stages.begin(), placement.stages.end(), [&](const PlacedStage& other) {
    return other.first_piece == stage.first_piece && other.end_piece == stage.end_piece &&
           kind(other) == kind(stage);
  });
}

// A dive may miss the best, but what it finds fits and is no faster than the best.
TEST(StageDive, FindsPlacementsThatFit) {
  std::mt19937 random(41);
  int possible = 0;
  int found_any = 0;
  int found_best = 0;
  for (int i = 0; i < 400; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.7});
    const std::optional<double> best = brute_force(problem);
    const ListedStages listed(problem);
    const StageDive found =
        dive(listed.graph, listed.bundle, kInfinite, {.width = 1, .most_stages = 10}, soon());
    if (!best) {
      EXPECT_FALSE(found.placement) << "case " << i;
      continue;
    }
    ++possible;
    if (found.placement) {
      ++found_any;
      EXPECT_TRUE(is_feasible(problem, *found.placement)) << "case " << i;
      EXPECT_GE(found.placement->latency, *best * (1 - 1e-9)) << "case " << i;
      if (found.placement->latency <= *best * (1 + 1e-9)) ++found_best;
    }
    EXPECT_FALSE(dive(listed.graph, listed.bundle, *best * (1 - 1e-9), {}, soon()).placement) << "case " << i;
  }
  EXPECT_GT(found_any, possible * 3 / 4);
  EXPECT_GT(found_best, possible / 2);
}

TEST(StageDive, KeepsTheStagesItIsToldTo) {
  std::mt19937 random(42);
  int found = 0;
  for (int i = 0; i < 400; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.7});
    const std::optional<Placement> slowest = slowest_placement(problem);
    if (!slowest || slowest->stages.size() < 3) continue;
    const ListedStages listed(problem);
    const std::vector<PlacedStage> kept = {slowest->stages.front(), slowest->stages.back()};
    const StageDive faster =
        dive(listed.graph, listed.bundle, slowest->latency * (1 - 1e-9), {}, soon(), kept);
    if (!faster.placement) continue;
    ++found;
    EXPECT_TRUE(is_feasible(problem, *faster.placement)) << "case " << i;
    for (const PlacedStage& stage : kept)
      EXPECT_TRUE(has(*faster.placement, stage, listed.costs)) << "case " << i;
  }
  EXPECT_GT(found, 50);
}

// A chain that memory cuts into many stages: prices and a narrow search alone leave more to be gained.
TEST(StageDive, GetsFartherThanANarrowSearch) {
  std::mt19937 random(44);
  int faster = 0;
  int compared = 0;
  for (int i = 0; i < 30; ++i) {
    const PlacementProblem problem = random_problem(
        random,
        {.max_devices = 8, .max_pieces = 60, .tightness = 0.25, .least_devices = 8, .least_pieces = 60});
    const ListedStages listed(problem);
    BundleMethod bundle = listed.bundle;
    StageBound bound(listed.graph);
    raise_prices(bound, bundle, {40, 0.0003, kInfinite}, soon());
    const StageSearchResult narrow = search_stages(bound, {2, 100'000}, soon());
    const StageDive deep = dive(listed.graph, bundle, kInfinite, {.width = 2}, soon());
    if (!deep.placement) continue;
    ++compared;
    EXPECT_TRUE(is_feasible(problem, *deep.placement)) << "case " << i;
    if (!narrow.placement || deep.placement->latency < narrow.placement->latency * (1 - 1e-9)) ++faster;
  }
  EXPECT_GT(faster, compared / 2);
}

TEST(StageDive, GivesUpWithoutTime) {
  std::mt19937 random(43);
  const PlacementProblem problem =
      random_problem(random, {.tightness = 2, .least_devices = 4, .least_pieces = 6});
  const ListedStages listed(problem);
  const StageDive none = dive(listed.graph, listed.bundle, kInfinite, {}, Deadline(Clock::duration::zero()));
  EXPECT_FALSE(none.placement);
}

TEST(Neighbourhoods, KeepWhatFitsAndOnlyMakeItFaster) {
  std::mt19937 random(22);
  int faster = 0;
  for (int i = 0; i < 200; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.6});
    const std::optional<Placement> slowest = slowest_placement(problem);
    if (!slowest) continue;
    const ListedStages listed(problem);
    const Placement better =
        improve_by_parts(listed.graph, listed.bundle, *slowest, {.rounds = 5, .threads = 1}, soon());
    const Placement at_once =
        improve_by_parts(listed.graph, listed.bundle, *slowest, {.rounds = 5, .threads = 3}, soon());
    EXPECT_EQ(better.latency, at_once.latency) << "case " << i;
    EXPECT_TRUE(is_feasible(problem, better)) << "case " << i;
    EXPECT_LE(better.latency, slowest->latency);
    EXPECT_GE(better.latency, *brute_force(problem) - 1e-9);
    if (better.latency < slowest->latency * 0.99) ++faster;
  }
  EXPECT_GT(faster, 50);
}

}  // namespace
}  // namespace lamina
