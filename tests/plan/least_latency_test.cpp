#include "plan/least_latency.h"

#include "base/error.h"
#include "plan/random_problem.h"

#include <functional>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

void expect_exact(const RandomProblemOptions& options, unsigned seed, int cases,
                  const std::function<void(PlacementProblem&)>& change = {}) {
  std::mt19937 random(seed);
  int infeasible = 0;
  int split = 0;
  for (int i = 0; i < cases; ++i) {
    PlacementProblem problem = random_problem(random, options);
    if (change) change(problem);
    const std::optional<double> best = brute_force(problem);
    if (!best) {
      ++infeasible;
      EXPECT_THROW(find_least_latency(problem), Error) << "case " << i;
      continue;
    }
    const PlannedPlacement found = find_least_latency(problem);
    EXPECT_TRUE(found.proven_best);
    EXPECT_TRUE(is_feasible(problem, found.placement)) << "case " << i;
    EXPECT_NEAR(found.placement.latency, *best, 1e-9) << "case " << i;
    EXPECT_NEAR(found.lower_bound, *best, 1e-9) << "case " << i;
    if (found.placement.stages.size() > 1) ++split;
  }
  // The cases must have had both kinds in them, or they showed nothing.
  EXPECT_GT(split, cases / 20);
  if (options.tightness < 0.7) {
    EXPECT_GT(infeasible, cases / 50);
  }
}

TEST(LeastLatency, EqualsBruteForceWhereMemoryIsPlenty) { expect_exact({.tightness = 10}, 1, 1000); }

TEST(LeastLatency, EqualsBruteForceWhereMemoryIsTight) { expect_exact({.tightness = 1}, 2, 2000); }

TEST(LeastLatency, EqualsBruteForceWhereMemoryIsVeryTight) { expect_exact({.tightness = 0.5}, 3, 2000); }

TEST(LeastLatency, EqualsBruteForceWhereSomePiecesCannotRunEverywhere) {
  expect_exact({.tightness = 1, .forbidden = 0.3}, 4, 1000);
}

TEST(LeastLatency, EqualsBruteForceWhereHopsChooseTheirWireFormats) {
  expect_exact({.tightness = 1, .wires = 3}, 6, 1000);
}

TEST(LeastLatency, EqualsBruteForceWhereMachinesAreAlike) {
  expect_exact({.max_devices = 5, .tightness = 0.8}, 6, 1000, make_alike);
}

TEST(LeastLatency, EqualsBruteForceWhereMachinesHaveToBeUsed) {
  std::mt19937 random(7);
  expect_exact({.tightness = 1}, 8, 1000, [&](PlacementProblem& problem) {
    for (PlanDevice& device : problem.devices) device.required = random() % 3 == 0;
  });
  expect_exact({.max_devices = 5, .tightness = 0.8}, 9, 500, [&](PlacementProblem& problem) {
    problem.devices.front().required = problem.devices.back().required = random() % 2 == 0;
    make_alike(problem);
  });
}

// Ten machines of three kinds: enumerated, machine by machine, they would be millions of partial placements.
TEST(LeastLatency, CountsMachinesThatAreAlike) {
  std::mt19937 random(12);
  PlacementProblem problem;
  while (problem.pieces.size() < 12 || problem.devices.size() < 3)
    problem = random_problem(random, {.max_devices = 3, .max_pieces = 12, .tightness = 0.6});
  const PlannedPlacement few = find_least_latency(problem);
  for (int i = 0; i < 7; ++i) {
    PlanDevice twin = problem.devices.back();
    twin.name += std::to_string(i);
    problem.devices.push_back(twin);
    problem.cost.push_back(problem.cost.back());
    for (auto& row : problem.links) row.push_back(row.back());
    problem.links.push_back(problem.links.back());
    problem.links.back().back() = problem.links.back()[problem.links.size() - 2];
  }
  const PlannedPlacement many = find_least_latency(problem);
  EXPECT_TRUE(many.proven_best);
  EXPECT_TRUE(is_feasible(problem, many.placement));
  EXPECT_LE(many.placement.latency, few.placement.latency);
}

// Too many machines whose memory is all but used up for a search of so few labels to prove anything.
TEST(LeastLatency, FindsAPlanAndABoundWhereMemoryIsTight) {
  std::mt19937 random(13);
  PlacementProblem problem;
  while (problem.pieces.size() < 50 || problem.devices.size() < 10)
    problem = random_problem(random, {.max_devices = 12, .max_pieces = 60, .tightness = 0.15});
  PlannerOptions options;
  options.max_labels = 2000;
  const PlannedPlacement found = find_least_latency(problem, options);
  EXPECT_TRUE(is_feasible(problem, found.placement));
  EXPECT_LE(found.lower_bound, found.placement.latency);
  EXPECT_GT(found.lower_bound, found.placement.latency * 0.7);
  EXPECT_EQ(find_least_latency(problem, options).placement.latency, found.placement.latency);
}

TEST(LeastLatency, BeyondItsBoundSaysHowFarFromBestItMayBe) {
  std::mt19937 random(5);
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 6, .tightness = 0.8});
    const std::optional<double> best = brute_force(problem);
    if (!best) continue;
    try {
      const PlannedPlacement found = find_least_latency(problem, {.max_labels = 5});
      EXPECT_TRUE(is_feasible(problem, found.placement));
      EXPECT_LE(found.lower_bound, *best + 1e-9);
      EXPECT_GE(found.placement.latency, *best - 1e-9);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::resource_exhausted);
    }
  }
}

// A device of two pieces and a link, with figures that tell every term of the cost apart.
PlacementProblem two_devices() {
  PlacementProblem problem;
  problem.devices = {{"source", 1000}, {"fast", 1000}};
  problem.pieces = {{"a"}, {"b"}};
  problem.cut_bytes = {100, 10, 1};
  problem.cost = {{{1, 10, 5}, {1, 20, 7}}, {{0.1, 10, 5}, {0.1, 20, 7}}};
  problem.links = {{{0, 1e9}, {0.2, 1000}}, {{0.4, 500}, {0, 1e9}}};
  problem.source = 0;
  return problem;
}

TEST(CostModel, ChargesEachHopWithWhatCrossesThere) {
  const PlacementProblem problem = two_devices();
  const Placement placement = evaluate(problem, {0, 1});
  ASSERT_EQ(placement.stages.size(), 2U);
  // Into the first stage the input, over the source's own loopback; into the second what crosses before it.
  EXPECT_DOUBLE_EQ(placement.stages[0].hop_seconds, 100 / 1e9);
  EXPECT_DOUBLE_EQ(placement.stages[1].hop_seconds, 0.2 / 2 + 10.0 / 1000);
  // On the way back the output, over the link of that direction; the input is not charged again.
  EXPECT_DOUBLE_EQ(placement.return_seconds, 0.4 / 2 + 1.0 / 500);
  EXPECT_DOUBLE_EQ(placement.latency, 100 / 1e9 + 1 + 0.11 + 0.1 + 0.202);
}

TEST(CostModel, KeepsTheLastPieceWhenTheLastDeviceIsTheSource) {
  const PlacementProblem problem = two_devices();
  const Placement placement = evaluate(problem, {1, 0});
  EXPECT_EQ(placement.stages.back().end_piece, 2U);
  EXPECT_DOUBLE_EQ(placement.return_seconds, 1 / 1e9);
}

TEST(CostModel, MemoryOfAStageIsItsWeightsItsGreatestActivationsAndItsEnds) {
  const PlacementProblem problem = two_devices();
  EXPECT_EQ(evaluate(problem, {0, 0}).stages[0].replicas[0].memory, 10U + 20 + 7 + 100 + 1);
  EXPECT_EQ(evaluate(problem, {0, 1}).stages[1].replicas[0].memory, 20U + 7 + 10 + 1);
}

TEST(CostModel, AStageOnADeviceThatIsUsedTwiceCountsTwice) {
  PlacementProblem problem = two_devices();
  problem.pieces.push_back({"c"});
  problem.cut_bytes = {0, 0, 0, 0};
  for (auto& row : problem.cost) row.push_back({1, 970, 0});
  EXPECT_TRUE(is_feasible(problem, evaluate(problem, {1, 1, 0})));
  problem.devices[0].memory_budget = 980;
  EXPECT_FALSE(is_feasible(problem, evaluate(problem, {0, 1, 0})));
}

TEST(LeastLatency, RefusesFiguresThatAreNone) {
  PlacementProblem problem = two_devices();
  problem.cost[0][0].seconds = std::numeric_limits<double>::quiet_NaN();
  EXPECT_THROW(find_least_latency(problem), Error);
  problem = two_devices();
  problem.links[0][1].round_trip = -1;
  EXPECT_THROW(find_least_latency(problem), Error);
  problem = two_devices();
  problem.cut_bytes.pop_back();
  EXPECT_THROW(find_least_latency(problem), Error);
}

TEST(LeastLatency, NamesThePieceThatRunsNowhere) {
  PlacementProblem problem = two_devices();
  for (auto& row : problem.cost) row[1].seconds = std::numeric_limits<double>::infinity();
  try {
    find_least_latency(problem);
    FAIL() << "a piece that runs nowhere was placed";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("'b'"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lamina
