// Rates of plans with branches, against all there is to try.
#include "plan/branch_rates.h"

#include "base/error.h"
#include "plan/branch_pipelines.h"
#include "plan/planner.h"
#include "plan/random_blocks.h"

#include <cmath>
#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Whether every device's stages follow each other: from the stage before a block through the block to the
// stage behind it.
bool stages_follow(const std::vector<PlacedStage>& stages) {
  std::set<std::size_t> closed;
  std::set<std::size_t> open;  // devices of what was last
  for (std::size_t i = 0; i < stages.size();) {
    std::set<std::size_t> here;
    if (stages[i].branches.empty()) {
      here = {stages[i++].replicas[0].device};
    } else {
      here = open;
      const std::size_t first = stages[i].first_piece;
      for (; i < stages.size() && !stages[i].branches.empty() && stages[i].first_piece == first; ++i)
        here.insert(stages[i].replicas[0].device);
    }
    for (const std::size_t device : here) {
      if (closed.contains(device)) return false;
    }
    for (const std::size_t device : open) {
      if (!here.contains(device)) closed.insert(device);
    }
    open = here;
  }
  return true;
}

// Every placement that may be planned for a rate.
void for_every_pipeline(const PlacementProblem& problem, const std::function<void(const Placement&)>& visit) {
  Choice choice{std::vector<std::size_t>(problem.pieces.size(), 0),
                std::vector<std::vector<std::size_t>>(problem.blocks.size())};
  for_every_choice(problem, choice, 0, [&](const Choice& one) {
    std::vector<PlacedStage> stages = stages_of(problem, one);
    if (!stages_follow(stages)) return;
    const Placement placement = evaluate_stages(problem, std::move(stages));
    if (is_feasible(problem, placement) && std::isfinite(placement.period)) visit(placement);
  });
}

struct Truth {
  double period = kNever;
  double latency = kNever;
};

Truth best_rate(const PlacementProblem& problem, double latency_limit) {
  Truth best;
  for_every_pipeline(problem, [&](const Placement& placement) {
    if (placement.latency > latency_limit) return;
    if (placement.period < best.period * (1 - 1e-9)) best = {placement.period, placement.latency};
    if (placement.period <= best.period * (1 + 1e-9))
      best.latency = std::min(best.latency, placement.latency);
  });
  return best;
}

double least_latency(const PlacementProblem& problem, double period) {
  double best = kNever;
  for_every_pipeline(problem, [&](const Placement& placement) {
    if (placement.period <= period) best = std::min(best, placement.latency);
  });
  return best;
}

// Some with messages that take processors, devices of which some are equal, and devices that have to be used.
PlacementProblem random_case(std::mt19937& random, int round) {
  PlacementProblem problem = random_blocks(random, round % 8 == 0 ? 4 : 3);
  if (round % 3 == 0) add_messages(problem, random);
  if (round % 5 == 0) problem.devices.back().required = true;
  return problem;
}

TEST(BranchRates, TheHighestIsAsHighAsAnyOfSmallProblems) {
  std::mt19937 random(21);
  int forked = 0;
  int impossible = 0;
  int no_chain = 0;
  for (int round = 0; round < 1500; ++round) {
    const PlacementProblem problem = random_case(random, round);
    const double limit = round % 4 == 0 ? least_latency(problem, kNever) * 1.1 : kNever;
    const Truth truth = best_rate(problem, limit);
    std::optional<PlannedPlacement> found;
    try {
      found = find_highest_rate_with_branches(problem, {.latency = limit});
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::out_of_memory || error.code() == ErrorCode::resource_exhausted)
          << error.what();
    }
    ASSERT_EQ(found.has_value(), std::isfinite(truth.period)) << "round " << round;
    if (!found) {
      ++impossible;
      continue;
    }
    ASSERT_TRUE(is_feasible(problem, found->placement)) << "round " << round;
    EXPECT_TRUE(found->proven_best);
    EXPECT_NEAR(found->placement.period / truth.period, 1, 1e-8) << "round " << round;
    EXPECT_NEAR(found->lower_bound / truth.period, 1, 1e-8) << "round " << round;
    EXPECT_LE(branch_work_bound(problem), truth.period * (1 + 1e-9));
    if (std::isinf(limit)) {
      EXPECT_NEAR(found->placement.latency / truth.latency, 1, 1e-6) << "round " << round;
    }
    EXPECT_LE(found->placement.latency, limit * (1 + 1e-9));
    forked += has_branches(found->placement.stages) ? 1 : 0;
    PlanningRequest chain;
    chain.objective = Objective::throughput;
    chain.branches = false;
    no_chain += find_placement(problem, chain) ? 0 : 1;
  }
  EXPECT_GT(forked, 200);
  EXPECT_GT(impossible, 20);
  EXPECT_GT(no_chain, 20);
}

TEST(BranchRates, TheLeastLatencyAtARateIsAsLowAsAnyOfSmallProblems) {
  std::mt19937 random(22);
  int forked = 0;
  int impossible = 0;
  for (int round = 0; round < 1000; ++round) {
    const PlacementProblem problem = random_case(random, round);
    const double best_period = best_rate(problem, kNever).period;
    if (std::isinf(best_period)) continue;
    const double period = best_period * std::uniform_real_distribution<double>(0.9, 1.6)(random);
    const double truth = least_latency(problem, period);
    const auto found = find_least_latency_within_with_branches(problem, period, {});
    ASSERT_EQ(found.has_value(), std::isfinite(truth)) << "round " << round;
    if (!found) {
      ++impossible;
      continue;
    }
    EXPECT_NEAR(found->placement.latency / truth, 1, 1e-8) << "round " << round;
    EXPECT_EQ(found->lower_bound, found->placement.latency);
    EXPECT_LE(found->placement.period, period * (1 + 1e-9));
    forked += has_branches(found->placement.stages) ? 1 : 0;
  }
  EXPECT_GT(forked, 100);
  EXPECT_GT(impossible, 20);
}

TEST(BranchRates, ASearchThatGivesUpSaysSo) {
  std::mt19937 random(23);
  int gave_up = 0;
  for (int round = 0; round < 300; ++round) {
    const PlacementProblem problem = random_case(random, round);
    const Truth truth = best_rate(problem, kNever);
    const auto found =
        find_branch_pipeline(problem, Objective::throughput, {}, static_cast<std::size_t>(round % 9),
                             Deadline(std::chrono::seconds(10)));
    if (found.placement) {
      EXPECT_GE(found.placement->period, truth.period * (1 - 1e-9)) << "round " << round;
    }
    gave_up += found.complete ? 0 : 1;
  }
  EXPECT_GT(gave_up, 100);
}

// Asked for a rate, the planner forks where that serves it, and not where it was told not to.
TEST(BranchRates, ThePlannerForksForARate) {
  std::mt19937 random(24);
  int forked = 0;
  for (int round = 0; round < 200; ++round) {
    const PlacementProblem problem = random_case(random, round);
    PlanningRequest request;
    request.objective = Objective::throughput;
    const auto best = find_placement(problem, request);
    request.branches = false;
    const auto chain = find_placement(problem, request);
    if (!best || !chain) continue;
    EXPECT_FALSE(has_branches(chain->stages));
    EXPECT_LE(best->period, chain->period * (1 + 1e-9));
    if (best->period > chain->period * 0.999) continue;
    ++forked;
    // Also where the rate is a demand, and the latency what counts.
    request = {};
    request.period = best->period * 1.0001;
    const auto within = find_placement(problem, request);
    ASSERT_TRUE(within) << "round " << round;
    EXPECT_LE(within->period, request.period);
    EXPECT_LE(find_pareto_front(problem, {}).back().period, best->period * (1 + 1e-8));
  }
  EXPECT_GT(forked, 20);
}

}  // namespace
}  // namespace lamina
