#include "plan/corrections.h"

#include "plan/branch_cost.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Two machines under a quota of half a processor, four pieces.
PlacementProblem two_machines() {
  PlacementProblem problem;
  for (const char* name : {"a", "b"}) {
    PlanDevice device;
    device.name = name;
    device.memory_budget = 1'000'000;
    device.processors = 0.5;
    device.messages = {1e-3, 0, 1e-3, 0};
    problem.devices.push_back(device);
    problem.cost.emplace_back(4, PieceCost{0.01, 0, 0, 0.02});
    problem.links.emplace_back(2, LinkCost{1e-3, 1e9});
  }
  problem.pieces = {{"w"}, {"x"}, {"y"}, {"z"}};
  problem.cut_bytes = {1000, 1000, 1000, 1000, 1000};
  return problem;
}

// Runs that are what the problem says.
StageRuns runs_of(const PlacementProblem& problem, const Placement& placement) {
  StageRuns runs;
  for (const PlacedStage& stage : placement.stages) {
    auto& replicas = runs.emplace_back();
    for (const Replica& replica : stage.replicas) {
      const PlanDevice& device = problem.devices[replica.device];
      ReplicaRun run;
      run.seconds = device.wake;
      for (const PieceCost* cost : costs_of(problem, stage, replica.device)) {
        run.seconds += cost->seconds;
        run.busy_seconds += cost->busy_seconds();
      }
      run.processor_seconds = placement.loads[replica.device].processors * device.processors;
      replicas.push_back(run);
    }
  }
  return runs;
}

TEST(Corrections, WhatRanAsPromisedStaysAsItIs) {
  const PlacementProblem problem = two_machines();
  const Placement placement = evaluate(problem, {0, 0, 1, 1});
  Corrections corrections;
  corrections.learn(problem, placement, runs_of(problem, placement));
  PlacementProblem corrected = problem;
  corrections.apply(corrected);
  EXPECT_NEAR(evaluate(corrected, {0, 1, 1, 1}).latency, evaluate(problem, {0, 1, 1, 1}).latency, 1e-12);
  EXPECT_NEAR(evaluate(corrected, {0, 1, 1, 1}).period, evaluate(problem, {0, 1, 1, 1}).period, 1e-12);
}

// The truth differs from what was measured piece by piece; after a run the same plan is priced at what it is.
TEST(Corrections, APlanThatRanIsPricedAsItRan) {
  std::mt19937 random(51);
  for (int i = 0; i < 100; ++i) {
    const PlacementProblem problem = two_machines();
    PlacementProblem truth = problem;
    for (std::size_t device = 0; device < 2; ++device) {
      for (std::size_t piece = 0; piece < 4; ++piece) {
        PieceCost& cost = truth.cost[device][piece];
        cost.seconds *= std::uniform_real_distribution<double>(0.5, 2)(random);
        cost.steady = *cost.steady * std::uniform_real_distribution<double>(0.5, 2)(random);
      }
    }
    const std::vector<std::size_t> device_of =
        i % 2 == 0 ? std::vector<std::size_t>{0, 0, 0, 1} : std::vector<std::size_t>{1, 1, 0, 0};
    const Placement ran = evaluate(truth, device_of);
    Corrections corrections;
    corrections.learn(problem, evaluate(problem, device_of), runs_of(truth, ran));
    PlacementProblem corrected = problem;
    corrections.apply(corrected);
    EXPECT_NEAR(evaluate(corrected, device_of).latency, ran.latency, 1e-9);
    EXPECT_NEAR(evaluate(corrected, device_of).period, ran.period, 1e-9);
  }
}

// Pieces x and y as a block of two branches, each on a machine.
TEST(Corrections, BranchesThatRanArePricedAsTheyRan) {
  std::mt19937 random(52);
  for (int i = 0; i < 100; ++i) {
    PlacementProblem problem = two_machines();
    PlanBlock block{1, 3, {1000}, 0, {}};
    for (const char* name : {"left", "right"})
      block.branches.push_back({name, {}, {0}, 500, {{0.01, 0, 0, 0.02}, {0.01, 0, 0, 0.02}}});
    problem.blocks = {block};
    PlacementProblem truth = problem;
    // Each machine has a factor of its own: its processors are measured as a whole.
    for (std::size_t device = 0; device < 2; ++device) {
      const double steady = std::uniform_real_distribution<double>(0.5, 2)(random);
      const auto change = [&](PieceCost& cost) {
        cost.seconds *= std::uniform_real_distribution<double>(0.5, 2)(random);
        cost.steady = *cost.steady * steady;
      };
      for (PieceCost& cost : truth.cost[device]) change(cost);
      for (PlanBranch& branch : truth.blocks[0].branches) change(branch.cost[device]);
    }
    std::vector<PlacedStage> stages = {{{{0}}, 0, 1}, {{{0}}, 1, 3}, {{{1}}, 1, 3}, {{{1}}, 3, 4}};
    stages[1].branches = {0};
    stages[2].branches = {1};
    const Placement ran = evaluate_stages(truth, stages);
    Corrections corrections;
    corrections.learn(problem, evaluate_stages(problem, stages), runs_of(truth, ran));
    PlacementProblem corrected = problem;
    corrections.apply(corrected);
    EXPECT_NEAR(evaluate_stages(corrected, stages).latency, ran.latency, 1e-9);
    EXPECT_NEAR(evaluate_stages(corrected, stages).period, ran.period, 1e-9);
    // What ran on one machine alone is judged by that on the other.
    EXPECT_NEAR(corrected.blocks[0].branches[0].cost[1].seconds,
                corrected.blocks[0].branches[0].cost[0].seconds, 1e-12);
  }
}

TEST(Corrections, WhatHasNotRunOnADeviceIsJudgedByOthers) {
  const PlacementProblem problem = two_machines();
  const Placement placement = evaluate(problem, {0, 0, 0, 1});
  StageRuns runs = runs_of(problem, placement);
  runs[0][0].seconds *= 3;
  Corrections corrections;
  corrections.learn(problem, placement, runs);
  PlacementProblem corrected = problem;
  corrections.apply(corrected);
  EXPECT_NEAR(corrected.cost[0][0].seconds, 0.03, 1e-12);
  EXPECT_NEAR(corrected.cost[1][0].seconds, 0.03, 1e-12);  // as on the other
  EXPECT_NEAR(corrected.cost[1][3].seconds, 0.01, 1e-12);
  EXPECT_NEAR(corrected.cost[0][3].seconds, 0.01, 1e-12);
}

TEST(Corrections, WithoutARunNothingChanges) {
  PlacementProblem problem = two_machines();
  Corrections().apply(problem);
  EXPECT_EQ(problem.cost[0][0].seconds, 0.01);
  EXPECT_EQ(problem.cost[0][0].steady, 0.02);
}

// Without a quota the thread that computes is what counts.
TEST(Corrections, WithoutAQuotaTheClockCounts) {
  PlacementProblem problem = two_machines();
  for (PlanDevice& device : problem.devices) device.processors = 4;
  const Placement placement = evaluate(problem, {0, 0, 0, 0});
  StageRuns runs = runs_of(problem, placement);
  runs[0][0].busy_seconds *= 1.5;
  Corrections corrections;
  corrections.learn(problem, placement, runs);
  corrections.apply(problem);
  EXPECT_NEAR(*problem.cost[0][0].steady, 0.03, 1e-12);
}

}  // namespace
}  // namespace lamina
