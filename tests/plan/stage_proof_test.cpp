#include "plan/stage_proof.h"

#include "plan/listed_stages.h"
#include "plan/random_problem.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// By searches of small graphs, and by splitting until nothing is left to be split.
class StageProofOf : public testing::TestWithParam<std::size_t> {};

TEST_P(StageProofOf, FindsTheBestAndProvesIt) {
  const StageProofLimits limits{GetParam(), 100'000};
  std::mt19937 random(31);
  int found = 0;
  for (int i = 0; i < 400; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 4, .max_pieces = 7, .tightness = 0.7});
    const std::optional<double> best = brute_force(problem);
    const ListedStages listed(problem);
    const Deadline soon(std::chrono::minutes(1));
    const StageProof proof =
        prove_best(listed.graph, listed.bundle, std::numeric_limits<double>::infinity(), limits, soon);
    EXPECT_TRUE(proof.complete) << "case " << i;
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
  EXPECT_GT(found, 100);
}

INSTANTIATE_TEST_SUITE_P(SearchedAndSplit, StageProofOf, testing::Values(500, 0));

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
