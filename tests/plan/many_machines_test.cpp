#include "plan/many_machines.h"

#include "base/error.h"
#include "plan/cheapest_chain.h"
#include "plan/pipelines.h"
#include "plan/random_problem.h"
#include "plan/stage_sums.h"

#include <chrono>
#include <functional>
#include <limits>
#include <map>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::chrono::seconds kASecond(1);

double best_period(const PlacementProblem& problem) {
  double best = std::numeric_limits<double>::infinity();
  for_every_pipeline(problem, 1,
                     [&](const Placement& placement) { best = std::min(best, placement.period); });
  return best;
}

TEST(ManyMachines, TheBoundIsNeverAboveBruteForceNorThePlanBelow) {
  std::mt19937 random(5);
  int found_best = 0;
  int possible = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.forbidden = 0.1, .wires = i % 3 == 0 ? 1U : 0U, .messages = i % 2 == 0});
    const double best = best_period(problem);
    if (!std::isfinite(best)) {
      EXPECT_THROW(find_rate_of_many(problem, {}), Error) << "case " << i;
      continue;
    }
    ++possible;
    const PlannedPlacement planned = find_rate_of_many(problem, {});
    ASSERT_TRUE(is_feasible(problem, planned.placement)) << "case " << i;
    EXPECT_LE(planned.lower_bound, best * (1 + 1e-9)) << "case " << i;
    EXPECT_GE(planned.placement.period, best * (1 - 1e-9)) << "case " << i;
    found_best += planned.placement.period <= best * (1 + 2e-3) ? 1 : 0;
  }
  EXPECT_GT(possible, 300);
  EXPECT_GT(found_best, possible * 95 / 100);
}

TEST(ManyMachines, ComesNearTheExactPlanOfTwelve) {
  std::mt19937 random(6);
  for (int i = 0; i < 20; ++i) {
    const PlacementProblem problem = random_problem(
        random,
        {.max_devices = 12, .max_pieces = 60, .tightness = 3, .least_devices = 12, .least_pieces = 60});
    const PlannedPlacement exact = find_highest_rate(problem, {});
    const PlannedPlacement planned = find_rate_of_many(problem, {});
    EXPECT_LE(planned.lower_bound, exact.placement.period * (1 + 1e-9));
    EXPECT_GE(planned.placement.period, exact.placement.period * (1 - 1e-9));
    EXPECT_LE(planned.placement.period, exact.placement.period * 1.002) << "case " << i;
  }
}

// Machines as bits, and the shortest period of a pipeline of just these.
std::map<unsigned, double> periods_by_machines(const PlacementProblem& problem) {
  std::map<unsigned, double> periods;
  for_every_pipeline(problem, 1, [&](const Placement& placement) {
    unsigned machines = 0;
    for (const PlacedStage& stage : placement.stages) machines |= 1U << stage.replicas.front().device;
    const auto [at, added] = periods.try_emplace(machines, placement.period);
    if (!added) at->second = std::min(at->second, placement.period);
  });
  return periods;
}

TEST(ManyMachines, TheCheapestChainIsNoDearerThanAnyPipelineOfItsPeriod) {
  std::mt19937 random(7);
  std::exponential_distribution<double> price;
  int compared = 0;
  for (int i = 0; i < 1000; ++i) {
    const PlacementProblem problem = random_problem(
        random, {.tightness = 2.5, .forbidden = 0.1, .wires = i % 3 == 0 ? 1U : 0U, .messages = i % 2 == 0});
    const std::map<unsigned, double> periods = periods_by_machines(problem);
    const StageSums sums(problem);
    for (const auto& [some, period] : periods) {
      CheapestChain chain(sums, period);
      for (int tries = 0; tries < 5; ++tries) {
        std::vector<double> prices(problem.devices.size());
        for (double& one : prices) one = price(random);
        double least = std::numeric_limits<double>::infinity();
        for (const auto& [machines, shortest] : periods) {
          double sum = 0;
          for (std::size_t device = 0; device < prices.size(); ++device)
            sum += (machines >> device & 1U) != 0 ? prices[device] : 0;
          if (shortest <= period) least = std::min(least, sum);
        }
        EXPECT_LE(chain.solve(prices), least * (1 + 1e-9)) << "case " << i;
        ++compared;
      }
    }
  }
  EXPECT_GT(compared, 20000);
}

// From the third piece on the second machine would be too late, for what it would have to receive there.
TEST(ManyMachines, AStageMayBeginBeforeACutThatIsTooDearToBeginAt) {
  constexpr double kNever = std::numeric_limits<double>::infinity();
  PlacementProblem problem;
  problem.pieces.assign(3, {"piece"});
  problem.cut_bytes = {0, 0, 1000, 0};
  problem.devices = {{"first", 1}, {"second", 1000}};
  problem.devices[1].processors = 1;
  problem.devices[1].messages.receive_byte = 0.01;
  problem.cost = {{{1}, {kNever}, {kNever}}, {{kNever}, {1}, {1}}};
  problem.links.assign(2, {{0, 1e9}, {0, 1e9}});
  const StageSums sums(problem);
  EXPECT_EQ(CheapestChain(sums, 2).solve({1, 2}), 3);
  EXPECT_DOUBLE_EQ(find_rate_of_many(problem, {}).placement.period, 2);
}

// Forty pieces of a second each, on twenty machines; `connected` says which of them have a fast link.
PlacementProblem twenty_machines(const std::function<bool(std::size_t, std::size_t)>& connected) {
  constexpr std::size_t kDevices = 20;
  constexpr std::size_t kPieces = 40;
  PlacementProblem problem;
  problem.pieces.assign(kPieces, {"piece"});
  problem.cut_bytes.assign(kPieces + 1, 1'000'000);
  problem.cut_bytes.front() = problem.cut_bytes.back() = 0;
  for (std::size_t device = 0; device < kDevices; ++device) {
    problem.devices.push_back({"device" + std::to_string(device), 10'000'000});
    problem.cost.emplace_back(kPieces, PieceCost{1});
    auto& links = problem.links.emplace_back();
    for (std::size_t to = 0; to < kDevices; ++to) links.push_back({0, connected(device, to) ? 1e9 : 1e3});
  }
  return problem;
}

void expect_close(const PlannedPlacement& planned, double truth) {
  EXPECT_NEAR(planned.placement.period, truth, 1e-9);
  EXPECT_LE(planned.lower_bound, truth);
  EXPECT_GT(planned.lower_bound, truth * 0.99);
}

// Four machines can hand on to each other what sixteen more can not, so these are of no use.
TEST(ManyMachines, MachinesBehindSlowLinksDoNotLowerTheBound) {
  const PlacementProblem problem =
      twenty_machines([](std::size_t from, std::size_t to) { return from < 4 && to < 4; });
  expect_close(find_rate_of_many(problem, {}), 10);
}

// Requests that take one pair or another, each there and back again, would use no machine much.
TEST(ManyMachines, NoPairIsUsedThereAndBackAgain) {
  const PlacementProblem problem =
      twenty_machines([](std::size_t from, std::size_t to) { return from / 2 == to / 2; });
  expect_close(find_rate_of_many(problem, {}), 20);
}

TEST(ManyMachines, FortyDifferentOnesGetAPlanAndABound) {
  std::mt19937 random(8);
  const PlacementProblem problem = random_problem(
      random,
      {.max_devices = 40, .max_pieces = 120, .tightness = 3, .least_devices = 40, .least_pieces = 120});
  ASSERT_FALSE(is_exact_for_rates(problem));
  const PlannedPlacement planned = find_highest_rate(problem, {.time_limit = kASecond});
  EXPECT_TRUE(is_feasible(problem, planned.placement));
  EXPECT_LE(planned.lower_bound, planned.placement.period);
  EXPECT_THROW(find_highest_rate(problem, {.replicas = 2}), Error);
  EXPECT_THROW(
      find_highest_rate(problem, {.latency = planned.placement.latency / 1e6, .time_limit = kASecond}),
      Error);
}

}  // namespace
}  // namespace lamina
