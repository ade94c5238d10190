#include "plan/planner.h"

#include "base/error.h"
#include "plan/pipelines.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

double most_memory(const PlacementProblem& problem, const Placement& placement) {
  const auto memory = memory_of_devices(problem, placement);
  return static_cast<double>(*std::max_element(memory.begin(), memory.end()));
}

double count_devices(const PlacementProblem& problem, const Placement& placement) {
  double count = 0;
  for (std::size_t device = 0; device < problem.devices.size(); ++device)
    count += uses(placement, device) ? 1 : 0;
  return count;
}

// Of all placements, also those that come to a machine again.
double shortest_period(const PlacementProblem& problem) {
  double period = kInfinity;
  for_every_placement(problem,
                      [&](const Placement& placement) { period = std::min(period, placement.period); });
  return period;
}

double least_latency(const PlacementProblem& problem) { return brute_force(problem).value_or(kInfinity); }

// Memory and devices, with and without a deadline, against everything there is.
void expect_least(Objective objective, double (*figure)(const PlacementProblem&, const Placement&)) {
  std::mt19937 random(21);
  int compared = 0;
  int with_deadline = 0;
  int impossible = 0;
  for (int i = 0; i < 1400; ++i) {
    PlacementProblem problem = random_problem(random, {.tightness = 1});
    if (i % 2 == 0) repeat_devices(problem, random);
    const double fastest = least_latency(problem);
    if (fastest == kInfinity) continue;
    ++compared;
    PlanningRequest request;
    request.objective = objective;
    if (i % 3 != 0) request.deadline = fastest * std::uniform_real_distribution<double>(0.95, 1.5)(random);
    double best = kInfinity;
    double latency = kInfinity;
    for_every_placement(problem, [&](const Placement& placement) {
      if (placement.latency > request.deadline) return;
      const double value = figure(problem, placement);
      if (std::tie(value, placement.latency) < std::tie(best, latency)) {
        best = value;
        latency = placement.latency;
      }
    });
    if (best == kInfinity) {
      ++impossible;
      EXPECT_THROW(find_placements(problem, request), Error) << "case " << i;
      continue;
    }
    const PlannedPlacement found = find_placements(problem, request).front();
    EXPECT_TRUE(is_feasible(problem, found.placement)) << "case " << i;
    EXPECT_TRUE(found.proven_best) << "case " << i;
    EXPECT_DOUBLE_EQ(figure(problem, found.placement), best) << "case " << i;
    EXPECT_DOUBLE_EQ(found.lower_bound, best) << "case " << i;
    EXPECT_NEAR(found.placement.latency, latency, 1e-9) << "case " << i;
    if (std::isfinite(request.deadline)) ++with_deadline;
  }
  EXPECT_GE(compared, 1000);
  EXPECT_GT(with_deadline, 500);
  EXPECT_GT(impossible, 20);
}

TEST(LeastMemory, EqualsBruteForce) { expect_least(Objective::memory, most_memory); }

TEST(FewestDevices, EqualsBruteForce) { expect_least(Objective::devices, count_devices); }

TEST(FewestDevices, EqualsBruteForceForARate) {
  std::mt19937 random(22);
  int impossible = 0;
  int several = 0;
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 1.5});
    double shortest = kInfinity;
    for_every_pipeline(problem, 1,
                       [&](const Placement& placement) { shortest = std::min(shortest, placement.period); });
    if (shortest == kInfinity) continue;
    PlanningRequest request;
    request.objective = Objective::devices;
    request.period = shortest * std::uniform_real_distribution<double>(0.9, 2)(random);
    double best = kInfinity;
    for_every_pipeline(problem, 1, [&](const Placement& placement) {
      if (placement.period <= request.period) best = std::min(best, count_devices(problem, placement));
    });
    // The fastest of all keeps the period as it is, though a machine may run two stages there.
    if (best == kInfinity) {
      ++impossible;
      try {
        EXPECT_LE(find_placements(problem, request).front().placement.period, request.period);
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::resource_exhausted) << error.what();
      }
      continue;
    }
    const Placement found = find_placements(problem, request).front().placement;
    EXPECT_LE(found.period, request.period * (1 + 1e-9));
    EXPECT_EQ(count_devices(problem, found), best) << "case " << i;
    if (best > 1) ++several;
  }
  EXPECT_GT(impossible, 5);
  EXPECT_GT(several, 50);
}

// Also against plans that come to a machine again, which are not looked for where a rate counts first of all.
TEST(LeastLatencyAtARate, IsThatOfAllPlacementsThereAre) {
  std::mt19937 random(26);
  int again = 0;
  int impossible = 0;
  int bound = 0;
  for (int i = 0; i < 1000; ++i) {
    PlacementProblem problem = random_problem(random, {.max_devices = 3, .tightness = 1.5});
    // Fast links: else no placement comes to a machine again.
    if (i % 2 == 0) {
      for (auto& links : problem.links) {
        for (LinkCost& link : links) link = {1e-3, 1e6};
      }
    }
    const double shortest = shortest_period(problem);
    if (shortest == kInfinity) continue;
    PlanningRequest request;
    request.period = shortest * std::uniform_real_distribution<double>(0.95, 2)(random);
    double best = kInfinity;
    bool comes_again = false;
    for_every_placement(problem, [&](const Placement& placement) {
      if (placement.period > request.period || placement.latency >= best) return;
      best = placement.latency;
      std::set<std::size_t> devices;
      for (const PlacedStage& stage : placement.stages) devices.insert(stage.replicas.front().device);
      comes_again = devices.size() < placement.stages.size();
    });
    SCOPED_TRACE(i);
    if (best == kInfinity) {
      EXPECT_THROW(find_placements(problem, request), Error);
      ++impossible;
      continue;
    }
    const PlannedPlacement found = find_placements(problem, request).front();
    EXPECT_NEAR(found.placement.latency, best, 1e-9 * best);
    EXPECT_NEAR(found.lower_bound, best, 1e-9 * best);
    EXPECT_LE(found.placement.period, request.period * (1 + 1e-9));
    if (comes_again) ++again;
    if (best > brute_force(problem).value_or(kInfinity) * (1 + 1e-9)) ++bound;
  }
  EXPECT_GT(again, 50);
  EXPECT_GT(impossible, 20);
  EXPECT_GT(bound, 100);
}

TEST(HighestRate, IsThatOfAllPlacementsWhereAllCanBeTried) {
  std::mt19937 random(27);
  int better = 0;
  for (int i = 0; i < 500; ++i) {
    PlacementProblem problem = random_problem(random, {.max_devices = 3, .max_pieces = 5, .tightness = 1.5});
    for (auto& links : problem.links) {
      for (LinkCost& link : links) link = {1e-3, 1e6};
    }
    const double shortest = shortest_period(problem);
    if (shortest == kInfinity) continue;
    double of_pipelines = kInfinity;
    for_every_pipeline(problem, 1, [&](const Placement& placement) {
      of_pipelines = std::min(of_pipelines, placement.period);
    });
    PlanningRequest request{.objective = Objective::throughput};
    request.time_limit = std::chrono::seconds(500);  // of which a part is for those
    const PlannedPlacement found = find_placements(problem, request).front();
    SCOPED_TRACE(i);
    EXPECT_NEAR(found.placement.period, shortest, 1e-9 * shortest);
    EXPECT_LE(found.lower_bound, found.placement.period * (1 + 1e-9));
    if (shortest < of_pipelines * 0.98) ++better;
  }
  EXPECT_GT(better, 20);
}

TEST(RankedPlacements, AreTheBestOnesInOrder) {
  std::mt19937 random(23);
  for (int i = 0; i < 200; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 3, .max_pieces = 5, .tightness = 1.5});
    std::vector<double> latencies;
    std::vector<double> periods;
    for_every_placement(problem, [&](const Placement& placement) { latencies.push_back(placement.latency); });
    for_every_pipeline(problem, 1, [&](const Placement& placement) { periods.push_back(placement.period); });
    for (const bool by_rate : {false, true}) {
      std::vector<double>& truth = by_rate ? periods : latencies;
      if (truth.empty()) continue;
      std::sort(truth.begin(), truth.end());
      PlanningRequest request;
      request.objective = by_rate ? Objective::throughput : Objective::latency;
      request.top = 7;
      auto found = find_placements(problem, request);
      // One that comes to a machine again goes first where it carries more.
      if (by_rate && found.front().placement.period < truth.front() * (1 - 1e-7)) {
        EXPECT_GE(found.front().placement.period, shortest_period(problem) * (1 - 1e-9));
        found.erase(found.begin());
        if (found.size() == 6 && truth.size() > 6) truth.resize(6);
      }
      ASSERT_EQ(found.size(), std::min<std::size_t>(7, truth.size())) << "case " << i;
      for (std::size_t rank = 0; rank < found.size(); ++rank) {
        const Placement& placement = found[rank].placement;
        EXPECT_NEAR(by_rate ? placement.period : placement.latency, truth[rank], 1e-7 * truth[rank])
            << "case " << i;
      }
    }
  }
}

TEST(ParetoFront, HasNoPlacementThatAnyPipelineBeats) {
  std::mt19937 random(24);
  std::size_t points = 0;
  for (int i = 0; i < 200; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = 2});
    double shortest = kInfinity;
    for_every_pipeline(problem, 1,
                       [&](const Placement& placement) { shortest = std::min(shortest, placement.period); });
    if (shortest == kInfinity) continue;
    const auto front = find_pareto_front(problem, {});
    points += front.size();
    for (std::size_t at = 0; at < front.size(); ++at) {
      if (at > 0) {
        EXPECT_LT(front[at].period, front[at - 1].period);
        EXPECT_GE(front[at].latency, front[at - 1].latency * (1 - 1e-9));
      }
      for_every_pipeline(problem, 1, [&](const Placement& placement) {
        const bool beaten =
            placement.period <= front[at].period && placement.latency < front[at].latency * (1 - 1e-9);
        EXPECT_FALSE(beaten) << "case " << i;
      });
    }
    EXPECT_LE(front.back().period, shortest * (1 + 1e-8)) << "case " << i;
  }
  EXPECT_GT(points, 250U);
}

TEST(Requirements, MachinesToUseAndBytesOnLinksAreKept) {
  std::mt19937 random(25);
  int changed = 0;
  int impossible = 0;
  for (int i = 0; i < 500; ++i) {
    PlacementProblem problem = random_problem(random, {.tightness = 2});
    const double free = least_latency(problem);
    problem.devices[static_cast<std::size_t>(i) % problem.devices.size()].required = true;
    for (auto& row : problem.links) {
      for (LinkCost& link : row)
        link.max_bytes = std::uniform_int_distribution<std::uint64_t>(300, 2000)(random);
    }
    const double truth = least_latency(problem);
    double period = kInfinity;
    for_every_pipeline(problem, 1,
                       [&](const Placement& placement) { period = std::min(period, placement.period); });
    if (truth == kInfinity) {
      ++impossible;
      EXPECT_THROW(find_placements(problem, {}), Error) << "case " << i;
    } else {
      EXPECT_NEAR(find_placements(problem, {}).front().placement.latency, truth, 1e-9) << "case " << i;
    }
    if (period != kInfinity) {
      const auto found = find_placements(problem, {.objective = Objective::throughput}).front();
      EXPECT_LE(found.placement.period, period * (1 + 1e-8)) << "case " << i;
      EXPECT_GE(found.placement.period, shortest_period(problem) * (1 - 1e-8)) << "case " << i;
    }
    if (truth > free * 1.001) ++changed;
  }
  EXPECT_GT(changed, 100);
  EXPECT_GT(impossible, 20);
}

TEST(TimeLimits, ArePartOfTheOrderOfPlacements) {
  std::mt19937 random(26);
  int changed = 0;
  for (int i = 0; i < 200; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.max_devices = 3, .max_pieces = 5, .tightness = 2});
    PlanningRequest request;
    request.time_limits = {{problem.source, kInfinity, 0.3}, {0, 1.5, 1}};
    double truth = kInfinity;
    for_every_placement(problem, [&](const Placement& placement) {
      const bool kept = device_seconds(problem, placement, problem.source) <= 0.3 * placement.latency &&
                        device_seconds(problem, placement, 0) <= 1.5;
      if (kept) truth = std::min(truth, placement.latency);
    });
    if (truth == kInfinity) {
      EXPECT_THROW(find_placements(problem, request), Error);
      continue;
    }
    EXPECT_NEAR(find_placements(problem, request).front().placement.latency, truth, 1e-9) << "case " << i;
    if (truth > least_latency(problem) * 1.001) ++changed;
  }
  EXPECT_GT(changed, 30);
}

TEST(Planner, SaysWhichDemandNoPlacementMeets) {
  std::mt19937 random(27);
  PlacementProblem problem = random_problem(random, {.tightness = 10});
  const auto expect_error = [&](const PlanningRequest& request, const std::string& named) {
    try {
      find_placements(problem, request);
      ADD_FAILURE() << "no error names " << named;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  };
  expect_error({.deadline = 1e-6}, "no placement answers within");
  expect_error({.objective = Objective::throughput, .period = 1e-9}, "carries 1e+09 requests/s");
  expect_error({.objective = Objective::memory, .period = 1e-9}, "carries 1e+09 requests/s");
  expect_error({.replicas = 99}, "99 replicas");
  expect_error({.objective = Objective::memory, .top = 3}, "objectives latency and throughput");
}

}  // namespace
}  // namespace lamina
