// Shares of requests that replicas take, against every choice of them.
#include "base/error.h"
#include "plan/free_shares.h"
#include "plan/highest_rate.h"
#include "plan/random_problem.h"
#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::size_t devices_of(const Placement& placement) {
  std::size_t devices = 0;
  for (const PlacedStage& stage : placement.stages) devices += stage.replicas.size();
  return devices;
}

int replicated_stages(const Placement& placement) {
  return static_cast<int>(std::count_if(placement.stages.begin(), placement.stages.end(),
                                        [](const PlacedStage& stage) { return stage.replicas.size() > 1; }));
}

void expect_sound_shares(const PlacementProblem& problem, const Placement& placement) {
  EXPECT_TRUE(is_feasible(problem, placement));
  for (const PlacedStage& stage : placement.stages) {
    double sum = 0;
    for (const Replica& replica : stage.replicas) {
      EXPECT_GE(replica.share, least_share_of(stage) * (1 - 1e-9));
      sum += replica.share;
    }
    EXPECT_NEAR(sum, 1, 1e-12);
  }
  const Placement again = evaluate_stages(problem, placement.stages, placement.return_wire);
  EXPECT_DOUBLE_EQ(again.period, placement.period);
  EXPECT_DOUBLE_EQ(again.latency, placement.latency);
}

struct Case {
  RandomProblemOptions problem;
  std::size_t replicas = 2;
  bool repeated = false;
  double slower_links = 1;
  unsigned seed = 1;
};

class FreeShares : public testing::TestWithParam<Case> {};

TEST_P(FreeShares, HighestRateIsNotBelowBruteForce) {
  std::mt19937 random(GetParam().seed);
  int replicated = 0;
  int neighbours = 0;
  for (int i = 0; i < 100; ++i) {
    PlacementProblem problem = random_problem(random, GetParam().problem);
    if (GetParam().repeated) repeat_devices(problem, random);
    for (auto& row : problem.links) {
      for (LinkCost& link : row) link.bandwidth /= GetParam().slower_links;
    }
    const double truth = shortest_period_of_any_shares(problem, GetParam().replicas);
    const RateOptions options{.replicas = GetParam().replicas};
    if (truth == kInfinity) {
      EXPECT_THROW(find_highest_rate(problem, options), Error) << "case " << i;
      continue;
    }
    const PlannedPlacement found = find_highest_rate(problem, options);
    expect_sound_shares(problem, found.placement);
    // Trying many shares may miss the very best.
    EXPECT_LE(found.placement.period, truth * (1 + 1e-5)) << "case " << i;
    EXPECT_LE(found.lower_bound, truth * (1 + 1e-6)) << "case " << i;
    EXPECT_LE(work_bound(problem, GetParam().replicas), truth * (1 + 1e-9)) << "case " << i;
    EXPECT_TRUE(found.proven_best) << "case " << i;
    const auto& stages = found.placement.stages;
    for (std::size_t stage = 0; stage < stages.size(); ++stage) {
      if (stages[stage].replicas.size() == 1) continue;
      ++replicated;
      if (stage > 0 && stages[stage - 1].replicas.size() > 1) ++neighbours;
    }
  }
  EXPECT_GT(replicated, 20);
  if (GetParam().slower_links > 1) {
    EXPECT_GT(neighbours, 2);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Random, FreeShares,
    testing::Values(
        Case{{.max_pieces = 4, .tightness = 10}, 4, false, 1, 1},
        Case{{.max_pieces = 4, .tightness = 1}, 3, true, 1, 2},
        Case{{.max_pieces = 4, .tightness = 1, .forbidden = 0.2}, 2, true, 1, 3},
        Case{
            {.max_devices = 3, .max_pieces = 4, .tightness = 2, .wires = 2, .messages = true}, 3, true, 1, 4},
        // Links, the source's above all, are the bottleneck.
        Case{{.max_pieces = 4, .tightness = 3, .forbidden = 0.1, .least_devices = 3}, 3, false, 10, 5}));

TEST(FreeShares, LeastLatencyWithinAPeriodIsNotAboveBruteForce) {
  std::mt19937 random(77);
  int replicated = 0;
  int impossible = 0;
  for (int i = 0; i < 80; ++i) {
    PlacementProblem problem = random_problem(random, {.max_pieces = 4,
                                                       .tightness = i % 2 == 0 ? 1.5 : 10,
                                                       .wires = i % 5 == 0 ? 1U : 0U,
                                                       .least_devices = 2});
    if (i % 3 == 0) repeat_devices(problem, random);
    const double best = shortest_period_of_any_shares(problem, 3);
    if (best == kInfinity) continue;
    const double period = best * std::uniform_real_distribution<double>(0.9, 1.6)(random);
    const auto found = find_least_latency_within(problem, period, {.replicas = 3});
    ASSERT_EQ(found.has_value(), period > best) << "case " << i;
    if (!found) {
      ++impossible;
      continue;
    }
    expect_sound_shares(problem, *found);
    EXPECT_LE(found->period, period * (1 + 1e-9));
    const double truth = least_over_free_shares(problem, 3, [&](const Placement& placement) {
      return placement.period <= period * (1 + 1e-9) ? placement.latency : kInfinity;
    });
    EXPECT_LE(found->latency, truth * (1 + 1e-5)) << "case " << i;
    replicated += replicated_stages(*found);
  }
  EXPECT_GT(replicated, 15);
  EXPECT_GT(impossible, 4);
}

TEST(FreeShares, KeepALatencyAndANumberOfDevices) {
  std::mt19937 random(78);
  int replicated = 0;
  int impossible = 0;
  for (int i = 0; i < 100; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_pieces = 4, .tightness = 3, .least_devices = 2});
    const double fastest =
        least_over_free_shares(problem, 1, [](const Placement& placement) { return placement.latency; });
    if (fastest == kInfinity) continue;
    const double limit = fastest * std::uniform_real_distribution<double>(0.95, 1.5)(random);
    const std::size_t devices = static_cast<std::size_t>(i % 3 + 2);
    const RateOptions options{.replicas = 3, .latency = limit, .devices = devices};
    const double truth = least_over_free_shares(problem, 3, [&](const Placement& placement) {
      return placement.latency <= limit && devices_of(placement) <= devices ? placement.period : kInfinity;
    });
    PlannedPlacement found;
    try {
      found = find_highest_rate(problem, options);
    } catch (const Error& error) {
      ++impossible;
      EXPECT_EQ(error.code(), ErrorCode::resource_exhausted) << error.what();
      EXPECT_EQ(truth, kInfinity) << "case " << i;
      continue;
    }
    expect_sound_shares(problem, found.placement);
    EXPECT_LE(found.placement.latency, limit * (1 + 1e-9));
    EXPECT_LE(devices_of(found.placement), devices);
    EXPECT_LE(found.placement.period, truth * 1.001) << "case " << i;
    EXPECT_LE(found.lower_bound, truth * (1 + 1e-6)) << "case " << i;
    replicated += replicated_stages(found.placement);
  }
  EXPECT_GT(replicated, 30);
  EXPECT_GT(impossible, 2);
}

// Machines whose links take no time; seconds[machine][piece].
PlacementProblem machines_of(const std::vector<std::vector<double>>& seconds) {
  PlacementProblem problem;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    problem.devices.push_back({"machine" + std::to_string(i), 1U << 30U});
    auto& row = problem.cost.emplace_back();
    for (const double of_piece : seconds[i]) row.push_back({of_piece, 1, 1});
    problem.links.push_back(std::vector<LinkCost>(seconds.size(), {0, 1e12}));
  }
  for (std::size_t i = 0; i < seconds.front().size(); ++i)
    problem.pieces.push_back({"piece" + std::to_string(i)});
  problem.cut_bytes.assign(seconds.front().size() + 1, 1);
  return problem;
}

// One of the machines that share the first two pieces is slow at the last two, which it has nothing to do
// with.
TEST(FreeShares, FollowTheSpeedOverTheStagesPieces) {
  const PlacementProblem problem = machines_of(
      {{kInfinity, kInfinity, 0.0025, 0.0025}, {0.002, 0.008, 0.005, 0.005}, {0.002, 0.008, 0.095, 0.095}});
  const PlannedPlacement found = find_highest_rate(problem, {.replicas = 2});
  EXPECT_TRUE(found.proven_best);
  EXPECT_NEAR(1 / found.placement.period, 200, 1e-6);
  ASSERT_EQ(found.placement.stages.size(), 2U);
  for (const Replica& replica : found.placement.stages[0].replicas) EXPECT_NEAR(replica.share, 0.5, 1e-9);
}

// The sender's fast link takes more than its even share, though both receivers compute as quickly.
TEST(FreeShares, FollowLinks) {
  PlacementProblem problem = machines_of({{1, kInfinity}, {kInfinity, 4}, {kInfinity, 4}});
  problem.cut_bytes = {0, 1000, 0};
  problem.links[0][1].bandwidth = 1000 / 2.0;  // two seconds each
  problem.links[0][2].bandwidth = 1000 / 8.0;
  const PlannedPlacement found = find_highest_rate(problem, {.replicas = 2});
  // Sending takes 2 s + 8 (1 - s) seconds, computing the greater of 4 s and 4 (1 - s).
  EXPECT_NEAR(found.placement.period, 3.2, 1e-7);
  ASSERT_EQ(found.placement.stages.size(), 2U);
  EXPECT_NEAR(found.placement.stages[1].replicas[0].share, 0.8, 1e-7);
}

TEST(FreeShares, OfStagesThatWaitAreEven) {
  // The last piece is what takes longest; the first needs two machines, which are as quick.
  const PlacementProblem problem = machines_of({{4, kInfinity}, {4, kInfinity}, {kInfinity, 3}});
  const PlannedPlacement found = find_highest_rate(problem, {.replicas = 2});
  EXPECT_NEAR(found.placement.period, 3, 1e-9);
  for (const Replica& replica : found.placement.stages[0].replicas) EXPECT_NEAR(replica.share, 0.5, 1e-9);
  PlacementProblem unequal = problem;
  unequal.cost[1][0].seconds = 5;
  const PlannedPlacement shared = find_highest_rate(unequal, {.replicas = 2});
  for (const Replica& replica : shared.placement.stages[0].replicas)
    EXPECT_NEAR(replica.share, replica.device == 0 ? 5.0 / 9 : 4.0 / 9, 1e-9);
}

TEST(FreeShares, AMachineFarTooSlowIsNoReplica) {
  const auto replicas_with = [](double seconds) {
    const PlannedPlacement found = find_highest_rate(machines_of({{1}, {seconds}}), {.replicas = 2});
    EXPECT_TRUE(found.proven_best);
    return found.placement.stages[0].replicas.size();
  };
  EXPECT_EQ(replicas_with(90), 2U);
  EXPECT_EQ(replicas_with(110), 1U);
  // As many as one likes that are equal.
  const PlannedPlacement many =
      find_highest_rate(machines_of(std::vector<std::vector<double>>(60, {1})), {.replicas = 60});
  EXPECT_EQ(many.placement.stages[0].replicas.size(), 60U);
  EXPECT_NEAR(many.placement.period, 1.0 / 60, 1e-9);
}

TEST(FreeShares, ABoundHoldsForMoreReplicasThanCanBeTried) {
  std::vector<std::vector<double>> seconds;
  double speeds = 0;
  for (int i = 0; i < 8; ++i) {
    seconds.push_back({1 + 0.01 * i});
    speeds += 1 / seconds.back().front();
  }
  PlacementProblem problem = machines_of(seconds);
  // Each group counts once for each format.
  for (int i = 0; i < 8; ++i) problem.wires.push_back({std::to_string(i), {1, 1}, {0, 0}, {true, true}});
  for (PlanDevice& device : problem.devices) device.wires.resize(8);
  const PlannedPlacement found = find_highest_rate(problem, {.replicas = 8});
  EXPECT_LT(found.placement.stages[0].replicas.size(), 8U);
  EXPECT_FALSE(found.proven_best);
  EXPECT_LE(found.lower_bound, 1 / speeds * (1 + 1e-9));
}

TEST(WorkBound, IsReachedWhereMachinesAreAsMuchQuickerAtOnePieceAsAtAnother) {
  EXPECT_NEAR(work_bound(machines_of({{1, 2}, {2, 4}, {kInfinity, kInfinity}}), 3), 2, 1e-12);
  EXPECT_NEAR(work_bound(machines_of({{1, 9}, {1, 9}}), 1), 9, 1e-12);
}

}  // namespace
}  // namespace lamina
