#include "plan/highest_rate.h"

#include "base/error.h"
#include "plan/pipelines.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <random>
#include <set>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Truth {
  double period = kInfinity;
  double latency = kInfinity;  // the least at that period
};

// Of stages without replicas; for replicas see shares_test.cpp.
Truth best_rate(const PlacementProblem& problem, double latency_limit, std::size_t devices) {
  Truth best;
  for_every_pipeline(problem, 1, [&](const Placement& placement) {
    if (placement.latency > latency_limit || placement.stages.size() > devices) return;
    if (placement.period < best.period * (1 - 1e-9)) best = {placement.period, placement.latency};
    if (placement.period <= best.period * (1 + 1e-9))
      best.latency = std::min(best.latency, placement.latency);
  });
  return best;
}

double least_latency(const PlacementProblem& problem, double period) {
  double best = kInfinity;
  for_every_pipeline(problem, 1, [&](const Placement& placement) {
    if (placement.period <= period) best = std::min(best, placement.latency);
  });
  return best;
}

struct Case {
  RandomProblemOptions problem;
  bool repeated = false;
  unsigned seed = 1;
  int count = 1000;
};

// Of the same stages with every hop in the format that is there soonest.
double soonest_period(const PlacementProblem& problem, const Placement& placement) {
  std::vector<PlacedStage> stages = placement.stages;
  for (PlacedStage& stage : stages) stage.wire.reset();
  return evaluate_stages(problem, stages).period;
}

class HighestRate : public testing::TestWithParam<Case> {};

TEST_P(HighestRate, EqualsBruteForce) {
  std::mt19937 random(GetParam().seed);
  int divided = 0;
  int impossible = 0;
  int worth_waiting_for = 0;  // formats that are not there soonest
  for (int i = 0; i < GetParam().count; ++i) {
    PlacementProblem problem = random_problem(random, GetParam().problem);
    if (GetParam().repeated) repeat_devices(problem, random);
    const Truth truth = best_rate(problem, kInfinity, 99);
    if (truth.period == kInfinity) {
      ++impossible;
      EXPECT_THROW(find_highest_rate(problem, {}), Error) << "case " << i;
      continue;
    }
    const PlannedPlacement found = find_highest_rate(problem, {});
    ASSERT_TRUE(is_feasible(problem, found.placement)) << "case " << i;
    EXPECT_TRUE(found.proven_best);
    EXPECT_NEAR(found.placement.period / truth.period, 1, 1e-8) << "case " << i;
    EXPECT_NEAR(found.placement.latency / truth.latency, 1, 1e-6) << "case " << i;
    EXPECT_NEAR(found.lower_bound / truth.period, 1, 1e-8);
    std::set<std::size_t> used;
    for (const PlacedStage& stage : found.placement.stages) {
      for (const Replica& replica : stage.replicas) EXPECT_TRUE(used.insert(replica.device).second);
    }
    if (found.placement.stages.size() > 1) ++divided;
    if (soonest_period(problem, found.placement) > found.placement.period * 1.001) ++worth_waiting_for;
  }
  if (GetParam().problem.wires > 0) {
    EXPECT_GT(worth_waiting_for, GetParam().count / 20);
  }
  EXPECT_GT(divided, GetParam().count / 10);
  if (GetParam().problem.tightness < 0.7) {
    EXPECT_GT(impossible, GetParam().count / 50);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Random, HighestRate,
    testing::Values(Case{{.tightness = 10}, false, 1, 1000}, Case{{.tightness = 1}, false, 2, 1000},
                    Case{{.tightness = 0.5}, true, 3, 1000},
                    Case{{.tightness = 1, .forbidden = 0.2}, true, 4, 1000},
                    Case{{.tightness = 2, .wires = 2}, false, 8, 700},
                    Case{{.tightness = 2, .messages = true}, true, 9, 1000},
                    Case{{.max_devices = 3, .max_pieces = 5, .tightness = 2, .wires = 3, .messages = true},
                         true,
                         10,
                         1000}));

// Links so slow that requests, answers and the source's own stage crowd its link.
TEST(HighestRate, EqualsBruteForceWhereTheSourcesLinkIsTheBottleneck) {
  std::mt19937 random(8);
  int in_the_middle = 0;
  for (int i = 0; i < 1000; ++i) {
    PlacementProblem problem = random_problem(
        random, {.tightness = 3, .forbidden = 0.3, .wires = i % 2 == 0 ? 1U : 0U, .messages = i % 5 == 0});
    for (auto& row : problem.links) {
      for (LinkCost& link : row) link.bandwidth /= 10;
    }
    const Truth truth = best_rate(problem, kInfinity, 99);
    if (truth.period == kInfinity) continue;
    const PlannedPlacement found = find_highest_rate(problem, {});
    EXPECT_NEAR(found.placement.period / truth.period, 1, 1e-8) << "case " << i;
    const auto& stages = found.placement.stages;
    for (std::size_t stage = 1; stage + 1 < stages.size(); ++stage)
      in_the_middle += stages[stage].replicas.front().device == problem.source ? 1 : 0;
  }
  EXPECT_GT(in_the_middle, 10);
}

TEST(HighestRate, KeepsALatencyAndANumberOfDevices) {
  std::mt19937 random(9);
  int bound = 0;
  int impossible = 0;
  for (int i = 0; i < 500; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.tightness = 1.5, .wires = i % 4 == 0 ? 1U : 0U});
    const double fastest = least_latency(problem, kInfinity);
    if (fastest == kInfinity) continue;
    const double limit = fastest * std::uniform_real_distribution<double>(0.95, 1.3)(random);
    const std::size_t devices = static_cast<std::size_t>(i % 3 + 1);
    const Truth free = best_rate(problem, kInfinity, 99);
    const Truth truth = best_rate(problem, limit, devices);
    const RateOptions options{.latency = limit, .devices = devices};
    if (truth.period == kInfinity) {
      ++impossible;
      EXPECT_THROW(find_highest_rate(problem, options), Error) << "case " << i;
      continue;
    }
    const PlannedPlacement found = find_highest_rate(problem, options);
    EXPECT_NEAR(found.placement.period / truth.period, 1, 1e-8) << "case " << i;
    EXPECT_LE(found.placement.latency, limit);
    if (truth.period > free.period * 1.001) ++bound;
  }
  EXPECT_GT(bound, 50);
  EXPECT_GT(impossible, 10);
}

TEST(LeastLatencyWithinAPeriod, EqualsBruteForce) {
  std::mt19937 random(10);
  int slower = 0;
  int impossible = 0;
  for (int i = 0; i < 500; ++i) {
    PlacementProblem problem =
        random_problem(random, {.max_pieces = 5, .tightness = 1.5, .wires = i % 3 == 0 ? 1U : 0U});
    if (i % 2 == 0) repeat_devices(problem, random);
    const double free = least_latency(problem, kInfinity);
    if (free == kInfinity) continue;
    const double best_period = best_rate(problem, kInfinity, 99).period;
    const double period = best_period * std::uniform_real_distribution<double>(0.9, 1.6)(random);
    const double truth = least_latency(problem, period);
    const auto found = find_least_latency_within(problem, period, {});
    ASSERT_EQ(found.has_value(), truth != kInfinity) << "case " << i;
    if (!found) {
      ++impossible;
      continue;
    }
    EXPECT_NEAR(found->latency / truth, 1, 1e-8) << "case " << i;
    EXPECT_LE(found->period, period * (1 + 1e-9));
    if (truth > free * 1.001) ++slower;
  }
  EXPECT_GT(slower, 50);
  EXPECT_GT(impossible, 10);
}

TEST(HighestRate, ManyEqualMachinesAreCountedAndLeastLatencyAtARateNeedsFewKinds) {
  std::mt19937 random(12);
  PlacementProblem problem = random_problem(random, {.tightness = 10});
  for (std::size_t i = 0; i < 40; ++i) {
    for (auto& row : problem.links) row.push_back({1e-4, 1e9});
    problem.devices.push_back({"equal" + std::to_string(i), 1U << 30U});
    problem.cost.push_back(std::vector<PieceCost>(problem.pieces.size(), {0.5, 1, 1}));
    problem.links.push_back(std::vector<LinkCost>(problem.devices.size(), {1e-4, 1e9}));
  }
  EXPECT_LE(find_highest_rate(problem, {}).placement.period, 0.5);
  for (std::size_t i = 0; i < problem.devices.size(); ++i)
    problem.devices[i].wake = 1e-6 * static_cast<double>(i);
  EXPECT_LE(find_highest_rate(problem, {}).placement.period, 0.5);
  try {
    find_least_latency_within(problem, 0.4, {});
    ADD_FAILURE() << "the least latency at a rate was planned for 40 different machines";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported) << error.what();
  }
}

// PipeEdge's public scheduler answers 20 s here.
TEST(HighestRate, TwoFastAndTwoSlowHostsWithEightLayersTakeFourSeconds) {
  PlacementProblem problem;
  for (const char* name : {"fast1", "fast2", "slow1", "slow2"}) {
    problem.devices.push_back({name, 1U << 30U});
    problem.cost.push_back(std::vector<PieceCost>(8, {name[0] == 'f' ? 1.0 : 10.0, 1, 1}));
    problem.links.push_back(std::vector<LinkCost>(4, {0, 1e12}));
  }
  for (int i = 0; i < 8; ++i) problem.pieces.push_back({"layer" + std::to_string(i)});
  problem.cut_bytes.assign(9, 1);
  EXPECT_DOUBLE_EQ(find_highest_rate(problem, {}).placement.period, 4);
  // Every stage on both fast hosts does no better here, and slow ones help: a tenth of the speed each.
  EXPECT_NEAR(find_highest_rate(problem, {.replicas = 4}).placement.period, 8 / 2.2, 1e-9);
}

}  // namespace
}  // namespace lamina
