#include "plan/reload.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Each piece is sent in a second (10 MB over 10 MB/s) and made ready in two; the source has its weights.
PlacementProblem problem_of_loads() {
  PlacementProblem problem;
  problem.devices = {{"source", 1U << 30U}, {"a", 1U << 30U}, {"b", 1U << 30U}};
  problem.pieces = {{"one"}, {"two"}, {"three"}, {"four"}};
  problem.cut_bytes = {0, 0, 0, 0, 0};
  problem.cost.assign(3, std::vector<PieceCost>(4, {0.1, 10'000'000, 0, {}, 2}));
  problem.links.assign(3, std::vector<LinkCost>(3, {0, 1e7}));
  return problem;
}

TEST(Reload, WithNothingLoadedIsAsLoading) {
  const PlacementProblem problem = problem_of_loads();
  const Placement next = evaluate(problem, {0, 1, 1, 2});
  EXPECT_DOUBLE_EQ(reload_seconds(problem, next, {}), load_seconds(problem, next));
  EXPECT_DOUBLE_EQ(load_seconds(problem, next), 6);
}

TEST(Reload, StagesThatAreWhereTheyWereCostNothing) {
  const PlacementProblem problem = problem_of_loads();
  const Placement before = evaluate(problem, {0, 1, 1, 2});
  EXPECT_DOUBLE_EQ(reload_seconds(problem, before, {before}), 0);
  // The last goes to the source, which needs no sending.
  EXPECT_DOUBLE_EQ(reload_seconds(problem, evaluate(problem, {0, 1, 1, 0}), {before}), 2);
  // Made ready for another batch size they are made ready again; their weights stay.
  EXPECT_DOUBLE_EQ(reload_seconds(problem, before, {before, false}), 4);
}

TEST(Reload, OtherStagesOfTheSamePiecesAreMadeReadyButNotSent) {
  const PlacementProblem problem = problem_of_loads();
  const Placement before = evaluate(problem, {0, 1, 1, 2});
  // 'a' has two of the three pieces.
  EXPECT_DOUBLE_EQ(reload_seconds(problem, evaluate(problem, {0, 1, 1, 1}), {before}), 3 * 2 + 1);
  EXPECT_DOUBLE_EQ(reload_seconds(problem, evaluate(problem, {0, 0, 1, 2}), {before}), 2 * 2);
}

TEST(Reload, BranchesAreStagesToo) {
  PlacementProblem problem = problem_of_loads();
  PlanBlock block{1, 3, {100}, 0, {}};
  for (const char* name : {"left", "right"})
    block.branches.push_back({name, {}, {0}, 100, std::vector<PieceCost>(3, {0.1, 10'000'000, 0, {}, 2})});
  problem.blocks = {block};
  const auto forked = [&](std::size_t left, std::size_t right) {
    return evaluate_stages(
        problem,
        {{{{0}}, 0, 1}, {{{left}}, 1, 3, 0, 0, {}, {0}}, {{{right}}, 1, 3, 0, 0, {}, {1}}, {{{0}}, 3, 4}});
  };
  const Placement before = forked(1, 2);
  EXPECT_DOUBLE_EQ(reload_seconds(problem, before, {before}), 0);
  EXPECT_DOUBLE_EQ(reload_seconds(problem, forked(1, 0), {before}), 2);
  EXPECT_DOUBLE_EQ(reload_seconds(problem, forked(2, 1), {before}), 3);
}

}  // namespace
}  // namespace lamina
