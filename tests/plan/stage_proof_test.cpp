#include "plan/stage_proof.h"

#include "plan/listed_stages.h"
#include "plan/random_problem.h"
#include "plan/stage_search.h"

#include <limits>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();

// Some with machines of one kind, some with machines that have to be used.
PlacementProblem tight_problem(std::mt19937& random) {
  PlacementProblem problem = random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.7});
  if (random() % 2 == 0 && problem.devices.size() > 2) make_alike(problem);
  if (random() % 4 == 0) problem.devices[random() % problem.devices.size()].required = true;
  return problem;
}

std::vector<std::size_t> devices_of(const Placement& placement) {
  std::vector<std::size_t> devices;
  for (const PlacedStage& stage : placement.stages)
    devices.resize(stage.end_piece, stage.replicas.front().device);
  return devices;
}

// By whole searches of small parts, and by splitting until nothing is left to be split.
class StageProofOf : public testing::TestWithParam<StageProofLimits> {};

TEST_P(StageProofOf, FindsTheBestAndProvesIt) {
  const StageProofLimits limits = GetParam();
  std::mt19937 random(31);
  int found = 0;
  std::size_t labels = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = tight_problem(random);
    const std::optional<double> best = brute_force(problem);
    const ListedStages listed(problem);
    const Deadline soon(std::chrono::minutes(1));
    const StageProof proof = prove_best(listed.graph, listed.bundle, kInfinite, limits, soon);
    EXPECT_TRUE(proof.complete) << "case " << i;
    labels += proof.labels;
    ASSERT_EQ(proof.placement.has_value(), best.has_value()) << "case " << i;
    if (!best) continue;
    ++found;
    EXPECT_NEAR(proof.placement->latency, *best, 1e-9) << "case " << i;
    EXPECT_TRUE(is_feasible(problem, *proof.placement)) << "case " << i;
    // Nothing is faster than the best, and something is faster than a bit more than it.
    const StageProof none = prove_best(listed.graph, listed.bundle, *best * (1 - 1e-9), limits, soon);
    EXPECT_TRUE(none.complete && !none.placement) << "case " << i;
    const StageProof again = prove_best(listed.graph, listed.bundle, *best * (1 + 1e-6), limits, soon);
    ASSERT_TRUE(again.placement) << "case " << i;
    EXPECT_NEAR(again.placement->latency, *best, 1e-9) << "case " << i;
  }
  EXPECT_GT(found, 300);
  EXPECT_GT(labels, 5'000U);
}

INSTANTIATE_TEST_SUITE_P(SearchedAndSplit, StageProofOf,
                         testing::Values(StageProofLimits{},
                                         StageProofLimits{.few_stages = 0, .narrow_width = 1}));

// Machines of a kind that hold stages already differ in what is left.
TEST(StageProof, AgreesWithAWideSearchWhereMachinesAreAlike) {
  std::mt19937 random(34);
  int found = 0;
  for (int i = 0; i < 60; ++i) {
    PlacementProblem problem = random_problem(
        random,
        {.max_devices = 5, .max_pieces = 10, .tightness = 0.3, .least_devices = 5, .least_pieces = 10});
    make_alike(problem);
    const ListedStages listed(problem);
    const Deadline soon(std::chrono::minutes(1));
    const StageProof proof =
        prove_best(listed.graph, listed.bundle, kInfinite, {.few_stages = 0, .narrow_width = 1}, soon);
    StageBound bound(listed.graph);
    bound.solve(listed.bundle.prices());
    const StageSearchResult wide = search_stages(bound, {1'000'000, 1'000'000}, soon);
    ASSERT_TRUE(wide.complete && proof.complete) << "case " << i;
    ASSERT_EQ(proof.placement.has_value(), wide.placement.has_value()) << "case " << i;
    if (!wide.placement) continue;
    ++found;
    EXPECT_NEAR(proof.placement->latency, wide.placement->latency, 1e-9) << "case " << i;
  }
  EXPECT_GT(found, 20);
}

// However many parts are looked at at once.
TEST(StageProof, IsTheSameOnAnyNumberOfThreads) {
  std::mt19937 random(33);
  std::size_t labels = 0;
  for (int i = 0; i < 20; ++i) {
    const PlacementProblem problem = random_problem(
        random,
        {.max_devices = 6, .max_pieces = 20, .tightness = 0.25, .least_devices = 6, .least_pieces = 20});
    const ListedStages listed(problem);
    const auto prove_on = [&](std::size_t threads) {
      return prove_best(listed.graph, listed.bundle, kInfinite,
                        {.few_stages = 0, .narrow_width = 1, .threads = threads},
                        Deadline(std::chrono::minutes(1)));
    };
    const StageProof alone = prove_on(1);
    const StageProof together = prove_on(4);
    EXPECT_EQ(alone.labels, together.labels) << "case " << i;
    ASSERT_EQ(alone.placement.has_value(), together.placement.has_value()) << "case " << i;
    labels += alone.labels;
    if (!alone.placement) continue;
    EXPECT_EQ(devices_of(*alone.placement), devices_of(*together.placement)) << "case " << i;
  }
  EXPECT_GT(labels, 10'000U);
}

// What is cut short still has a bound that holds.
TEST(StageProof, BoundsWhatItHasNoTimeFor) {
  std::mt19937 random(32);
  for (int i = 0; i < 100; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.7});
    const std::optional<double> best = brute_force(problem);
    if (!best) continue;
    const ListedStages listed(problem);
    const StageProof proof =
        prove_best(listed.graph, listed.bundle, *best * 2, {}, Deadline(Clock::duration::zero()));
    EXPECT_LE(proof.lower_bound, *best * (1 + 1e-9)) << "case " << i;
  }
}

}  // namespace
}  // namespace lamina
