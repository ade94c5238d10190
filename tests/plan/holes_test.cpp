// Benchmarks that lack something: what is said of it, and that plans do without it.
#include "plan/holes.h"

#include "base/error.h"
#include "plan/conflict.h"
#include "plan/many_machines.h"
#include "plan/pipelines.h"
#include "plan/planner.h"
#include "plan/problem.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Two pieces on three machines, all measured.
Benchmark measured() {
  Benchmark benchmark;
  benchmark.model = "model";
  benchmark.pieces = {{"conv", 0, 1, 100}, {"dense", 1, 2, 100}};
  benchmark.cut_bytes = {100, 50, 4};
  for (const char* name : {"a", "b", "c"}) {
    benchmark.devices.push_back({name, "", 1, 1U << 20U, 1U << 20U});
    benchmark.measurements.emplace_back(
        2, PieceMeasurement{PieceTime{0.1, 0.1, 0.1, 10, 100, 0.1}, std::string()});
    benchmark.links.emplace_back(3, Link{1e-4, 1e-4, 1e-4, 1e6});
    benchmark.formats.emplace_back();
  }
  benchmark.wake = benchmark.fusion = benchmark.steady_fusion = {1, 1, 1};
  benchmark.messages.resize(3);
  return benchmark;
}

std::string lines_of(const Benchmark& benchmark) {
  std::string text;
  for (const std::string& line : describe_holes(benchmark)) text += line + "\n";
  return text;
}

TEST(Holes, AreDescribedWithTheirCauses) {
  Benchmark benchmark = measured();
  EXPECT_EQ(lines_of(benchmark), "");
  benchmark.measurements[1] = {{std::nullopt, "it was killed"}, {std::nullopt, "it was killed"}};
  benchmark.measurements[2][1] = {std::nullopt, "out of memory"};
  benchmark.links[0][1] = {.failure = "refused"};
  benchmark.links[2][0].bandwidth = 0;
  EXPECT_EQ(lines_of(benchmark),
            "'b' is left out, since it can't run 'conv', 'dense': it was killed\n"
            "'c' can't run 'dense': out of memory\n"
            "nothing is sent over the link from 'a' to 'b': it could not be measured: refused\n"
            "nothing is sent over the link from 'c' to 'a': it has no bandwidth\n");
}

TEST(Holes, APieceThatRunsNowhereIsExplainedMachineByMachine) {
  Benchmark benchmark = measured();
  benchmark.measurements[0][1] = {std::nullopt, "out of memory"};
  const PlacementProblem free = make_problem(benchmark, "a");
  PlacementProblem problem = free;
  forbid_device(problem, 1);
  EXPECT_FALSE(explain_stuck_piece(benchmark, free, problem, {}));
  forbid_device(problem, 2);
  EXPECT_EQ(
      explain_stuck_piece(benchmark, free, problem, {"c"}).value(),
      "slice 'dense' can run on no machine: on 'a' it failed: out of memory; constraints forbid 'b'; 'c' "
      "is gone");
}

// What keeps plans apart is named, whether or not memory has a part in it.
TEST(Holes, AreNamedAmongWhatCannotBeMet) {
  Benchmark benchmark = measured();
  const auto explain = [&] {
    const PlacementProblem problem = make_problem(benchmark, "a");
    EXPECT_THROW(find_placements(problem, {}), Error);
    return explain_conflict(problem, {{}, {}}, {}, {}, holes_of(benchmark, {}));
  };
  for (std::size_t to = 0; to < 3; ++to) benchmark.links[0][to].bandwidth = 0;
  EXPECT_EQ(explain(),
            "what stands in the way is the lack of a link from 'a' to 'a' (it has no bandwidth), from 'a' to "
            "'b' (it has no bandwidth), from 'a' to 'c' (it has no bandwidth)");
  benchmark.links[0][0].bandwidth = 1e6;
  benchmark.devices[0].free_memory = 0;
  EXPECT_EQ(explain(),
            "what stands in the way together: the memory of the machines and the lack of a link from 'a' to "
            "'b' (it has no bandwidth), from 'a' to 'c' (it has no bandwidth)");
  benchmark = measured();
  benchmark.devices[0].free_memory = benchmark.devices[1].free_memory = 0;
  benchmark.measurements[2][0] = {std::nullopt, "it was killed"};
  EXPECT_EQ(explain(), "what stands in the way together: the memory of the machines and what failed on 'c'");
}

std::string error_of(const PlacementProblem& problem) {
  try {
    find_placements(problem, {});
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(Holes, OfAMachineThatMustBeUsedAreNotWantOfMemory) {
  Benchmark benchmark = measured();
  benchmark.measurements[1] = {{std::nullopt, "it was killed"}, {std::nullopt, "it was killed"}};
  PlacementProblem problem = make_problem(benchmark, "a");
  problem.devices[1].required = true;
  EXPECT_EQ(error_of(problem), "no placement fits: 'b' is to be used, but can run nothing");
  // What failed has no weights, which is not what the model needs.
  problem.devices[1].required = false;
  problem.devices[0].memory_budget = problem.devices[2].memory_budget = 0;
  EXPECT_NE(error_of(problem).find("weights take 200 B"), std::string::npos) << error_of(problem);
}

// Links of no bandwidth, and pieces that failed, against everything there is.
TEST(Holes, ArePlannedAround) {
  std::mt19937 random(51);
  int kept_apart = 0;
  int found = 0;
  for (int i = 0; i < 1000; ++i) {
    PlacementProblem problem =
        random_problem(random, {.max_devices = 3, .max_pieces = 5, .tightness = 1.5, .forbidden = 0.1});
    for (auto& row : problem.links) {
      for (LinkCost& link : row) {
        if (random() % 4 == 0) link.bandwidth = 0;
      }
    }
    SCOPED_TRACE(i);
    const double truth = brute_force(problem).value_or(kInfinity);
    double period = kInfinity;
    for_every_pipeline(problem, 1,
                       [&](const Placement& placement) { period = std::min(period, placement.period); });
    for (const Objective objective :
         {Objective::latency, Objective::throughput, Objective::memory, Objective::devices}) {
      if (truth == kInfinity) {
        EXPECT_THROW(find_placements(problem, {.objective = objective}), Error);
        continue;
      }
      const Placement placement = find_placements(problem, {.objective = objective}).front().placement;
      EXPECT_TRUE(is_feasible(problem, placement));
      if (objective == Objective::latency) {
        EXPECT_NEAR(placement.latency, truth, 1e-9);
      } else if (objective == Objective::throughput) {
        EXPECT_LE(placement.period, period * (1 + 1e-8));
      }
    }
    if (period == kInfinity) {
      EXPECT_THROW(find_rate_of_many(problem, {}), Error);
    } else {
      const PlannedPlacement planned = find_rate_of_many(problem, {});
      EXPECT_TRUE(is_feasible(problem, planned.placement));
      EXPECT_LE(planned.lower_bound, period * (1 + 1e-9));
    }
    ++(truth == kInfinity ? kept_apart : found);
  }
  EXPECT_GT(kept_apart, 50);
  EXPECT_GT(found, 200);
}

// Machines that can't be reached from the source don't crowd out the one chain that there is.
TEST(Holes, ManyMachinesOutOfReachHideNoPlan) {
  std::mt19937 random(52);
  for (int i = 0; i < 5; ++i) {
    PlacementProblem problem = random_problem(
        random,
        {.max_devices = 30, .max_pieces = 30, .tightness = 0.4, .least_devices = 30, .least_pieces = 30});
    std::vector<std::size_t> chain(problem.devices.size());
    std::iota(chain.begin(), chain.end(), std::size_t{0});
    std::shuffle(chain.begin(), chain.end(), random);
    std::swap(*std::find(chain.begin(), chain.end(), problem.source), chain.front());
    for (auto& row : problem.links) {
      for (LinkCost& link : row) link.bandwidth = 0;
    }
    // Six of them in a ring.
    for (std::size_t at = 0; at < 6; ++at) {
      problem.links[chain[at]][chain[(at + 1) % 6]].bandwidth = 1e4;
      problem.devices[chain[at]].memory_budget = 1'000'000;
    }
    problem.devices[chain[2]].memory_budget = 0;
    problem.links[chain[1]][chain[3]].bandwidth = 1e4;
    EXPECT_TRUE(is_feasible(problem, find_rate_of_many(problem, {}).placement)) << "case " << i;
  }
}

}  // namespace
}  // namespace lamina
