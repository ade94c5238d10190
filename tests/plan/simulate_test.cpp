#include "plan/simulate.h"

#include "plan/pipelines.h"
#include "plan/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

double mean(const std::vector<double>& values) {
  return std::accumulate(values.begin(), values.end(), 0.0) / static_cast<double>(values.size());
}

double median_of(std::vector<double> values) {
  std::nth_element(values.begin(), values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2),
                   values.end());
  return values[values.size() / 2];
}

// One machine that takes `seconds` for the only piece; nothing else costs.
PlacementProblem one_machine(double seconds) {
  PlacementProblem problem;
  problem.devices = {{"only", 1U << 30U}};
  problem.pieces = {{"all"}};
  problem.cut_bytes = {0, 0};
  problem.cost = {{{seconds, 1, 1}}};
  problem.links = {{{0, 1e12}}};
  return problem;
}

// Arrivals for long enough to see means, none refused.
SimulationOptions long_run(double rate) {
  SimulationOptions options;
  options.rate = rate;
  options.seconds = 5000;
  options.max_in_flight = 100'000;
  return options;
}

// Pollaczek and Khinchine: a queue with Poisson arrivals and a fixed time of service.
TEST(Simulate, WaitsAsQueueingTheorySays) {
  const double service = 0.01;
  const PlacementProblem problem = one_machine(service);
  const Placement placement = evaluate(problem, {0});
  for (const double load : {0.3, 0.6, 0.9}) {
    const SimulationOptions options = long_run(load / service);
    const Simulation simulation = simulate(problem, placement, options);
    const double expected = service + load * service / (2 * (1 - load));
    EXPECT_NEAR(mean(simulation.latencies) / expected, 1, 0.05) << "load " << load;
    EXPECT_NEAR(simulation.busy[0].computing, load, 0.02);
    EXPECT_EQ(simulation.refused, 0U);
  }
}

// A server that takes all who wait at once, in a fixed time: who comes while it is busy waits for half of
// that on the mean, and it is idle for exp(-λS)/λ of each S + exp(-λS)/λ.
TEST(Simulate, JoinedRequestsWaitAsQueueingTheorySays) {
  const double service = 0.01;
  const PlacementProblem problem = one_machine(service);
  const Placement placement = evaluate(problem, {0});
  for (const double load : {0.3, 1.0, 3.0}) {
    SimulationOptions options = long_run(load / service);
    options.joining = {1000, std::numeric_limits<double>::infinity(),
                       [&](std::size_t) -> const PlacementProblem& { return problem; }};
    const Simulation simulation = simulate(problem, placement, options);
    const double idle = std::exp(-load) * service / load;
    const double expected = service + service / 2 * service / (service + idle);
    EXPECT_NEAR(mean(simulation.latencies) / expected, 1, 0.02) << "load " << load;
    EXPECT_EQ(simulation.refused, 0U);
  }
}

TEST(Simulate, BatchesAreNoLargerAndWaitNoLongerThanAllowed) {
  const PlacementProblem problem = one_machine(0.01);
  const Placement placement = evaluate(problem, {0});
  SimulationOptions options;
  options.rate = 5000;
  options.seconds = 20;
  options.max_in_flight = 64;
  std::size_t most = 0;
  options.joining = {8, 1, [&](std::size_t rows) -> const PlacementProblem& {
                       most = std::max(most, rows);
                       return problem;
                     }};
  const Simulation full = simulate(problem, placement, options);
  EXPECT_EQ(most, 8U);
  EXPECT_NEAR(static_cast<double>(full.latencies.size()) / full.span, 8 / 0.01, 8);
  // While one is under way the others wait for the window alone.
  options.rate = 50;
  options.seconds = 2000;
  options.joining->window = 0;
  const Simulation alone = simulate(problem, placement, options);
  EXPECT_EQ(alone.batches, alone.latencies.size());
}

TEST(Simulate, AFewRequestsTakeThePredictedLatencyAndManyThePredictedPeriod) {
  std::mt19937 random(31);
  for (int i = 0; i < 100; ++i) {
    PlacementProblem problem = random_problem(random, {.tightness = 10});
    // A stage that is quicker after idleness would carry more than its steady time says.
    for (auto& row : problem.cost) {
      for (PieceCost& cost : row) cost.steady.reset();
    }
    std::vector<Placement> pipelines;
    for_every_pipeline(problem, i % 2 == 0 ? 1 : 3,
                       [&](const Placement& placement) { pipelines.push_back(placement); });
    const Placement& placement = pipelines[random() % pipelines.size()];
    const bool replicated = std::any_of(placement.stages.begin(), placement.stages.end(),
                                        [](const PlacedStage& stage) { return stage.replicas.size() > 1; });
    SimulationOptions alone;
    alone.rate = 0.001 / placement.latency;
    alone.seconds = 300 / alone.rate;
    const Simulation few = simulate(problem, placement, alone);
    // Turns of replicas are spread evenly, so the mean comes close to the mean over shares.
    EXPECT_NEAR(mean(few.latencies) / placement.latency, 1, replicated ? 0.05 : 0.01) << "case " << i;

    SimulationOptions crowd;
    crowd.rate = 3 / placement.period;
    crowd.seconds = 3000 * placement.period;
    crowd.max_in_flight = 1000;
    const Simulation many = simulate(problem, placement, crowd);
    const double period = many.span / static_cast<double>(many.latencies.size());
    // A transfer waits for both its ends, which the period leaves aside: the simulation may be slower.
    EXPECT_GE(period, placement.period * 0.97) << "case " << i;
    EXPECT_LE(period, placement.period * (replicated ? 2.5 : 2)) << "case " << i;
    EXPECT_GT(many.refused, 0U);
  }
}

// Were the turns of both stages taken together, each sender would have one receiver.
TEST(Simulate, EverySenderGivesTurnsToEveryReplica) {
  PlacementProblem problem;
  problem.cut_bytes = {0, 1000, 0};
  for (const char* const name : {"a", "b", "c", "d"}) {
    problem.devices.push_back({name, 1U << 30U});
    problem.cost.push_back({{1e-3, 1, 1}, {1e-3, 1, 1}});
    problem.links.push_back(std::vector<LinkCost>(4, {0, 1e9}));
  }
  problem.pieces = {{"one"}, {"two"}};
  problem.links[0][2].bandwidth = problem.links[1][3].bandwidth = 1000;  // a second
  const Placement placement =
      evaluate_stages(problem, {{{{0, 0.5}, {1, 0.5}}, 0, 1}, {{{2, 0.5}, {3, 0.5}}, 1, 2}});
  EXPECT_NEAR(placement.latency, 0.502, 1e-5);
  SimulationOptions options;
  options.rate = 0.01;
  options.seconds = 40'000;
  EXPECT_NEAR(mean(simulate(problem, placement, options).latencies), 0.502, 0.01);
}

// A random placement with branches on several machines; nothing where the problem has none that fits.
std::optional<Placement> random_branches(const PlacementProblem& problem, std::mt19937& random) {
  std::vector<Placement> placements;
  Choice choice{std::vector<std::size_t>(problem.pieces.size(), 0),
                std::vector<std::vector<std::size_t>>(problem.blocks.size())};
  for_every_choice(problem, choice, 0, [&](const Choice& one) {
    const Placement placement = evaluate_stages(problem, stages_of(problem, one));
    if (has_branches(placement.stages) && is_feasible(problem, placement)) placements.push_back(placement);
  });
  if (placements.empty()) return std::nullopt;
  return placements[random() % placements.size()];
}

TEST(Simulate, BranchesTakeThePredictedLatencyAloneAndThePredictedPeriodInACrowd) {
  std::mt19937 random(32);
  int seen = 0;
  int equal = 0;
  for (int i = 0; i < 150; ++i) {
    PlacementProblem problem = random_blocks(random, 3);
    for (auto& row : problem.cost) {
      for (PieceCost& cost : row) cost.steady.reset();
    }
    const std::optional<Placement> placement = random_branches(problem, random);
    if (!placement) continue;
    ++seen;
    SimulationOptions alone;
    alone.rate = 0.001 / placement->latency;
    alone.seconds = 100 / alone.rate;
    // Most of them meet no other. A message may wait for another that the prediction leaves aside: of a
    // machine that still gets its branches' inputs, or still sends those of others.
    const double median = median_of(simulate(problem, *placement, alone).latencies);
    EXPECT_GE(median, placement->latency * (1 - 1e-9)) << "case " << i;
    EXPECT_LE(median, placement->latency * 1.3) << "case " << i;
    equal += median <= placement->latency * (1 + 1e-9) ? 1 : 0;
    SimulationOptions crowd;
    crowd.rate = 3 / placement->period;
    crowd.seconds = 2000 * placement->period;
    crowd.max_in_flight = 1000;
    const Simulation many = simulate(problem, *placement, crowd);
    const double period = many.span / static_cast<double>(many.latencies.size());
    EXPECT_GE(period, placement->period * 0.97) << "case " << i;
    EXPECT_LE(period, placement->period * 2.5) << "case " << i;
  }
  EXPECT_GT(seen, 50);
  EXPECT_GT(equal, seen * 9 / 10);
}

// Three machines that take 50, 100 and 200 ms for the only piece.
PlacementProblem three_machines() {
  PlacementProblem problem = one_machine(0.05);
  for (const double seconds : {0.1, 0.2}) {
    problem.devices.push_back({"other", 1U << 30U});
    problem.cost.push_back({{seconds, 1, 1}});
  }
  problem.links.assign(3, std::vector<LinkCost>(3, {0, 1e12}));
  return problem;
}

// A rate at which machines are idle most of the time.
SimulationOptions with_failure(double at) {
  SimulationOptions options;
  options.rate = 4;
  options.seconds = 100;
  options.max_in_flight = 1000;
  options.failure = SimulatedFailure{0, at};
  return options;
}

TEST(Simulate, RequestsWaitForTheNextPlanAndEachIsAnsweredOnce) {
  const PlacementProblem problem = three_machines();
  SimulationOptions options = with_failure(50);
  const Simulation whole = simulate(problem, evaluate(problem, {0}), with_failure(1000));
  EXPECT_TRUE(whole.changes.empty());
  double rate = 0;
  options.recover = [&](std::size_t device, double rate_then) {
    EXPECT_EQ(device, 0U);
    rate = rate_then;
    return std::vector<SimulatedChange>{{5, evaluate(problem, {1})}};
  };
  const Simulation lost = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_TRUE(lost.recovered);
  EXPECT_EQ(lost.changes, std::vector<double>{55});
  EXPECT_EQ(lost.latencies.size(), whole.latencies.size());  // the same arrivals
  EXPECT_EQ(lost.refused + lost.failed, 0U);
  EXPECT_LE(lost.resent, 3U);
  EXPECT_NEAR(rate, 4, 3);  // in the busiest five seconds
  const double slowest = *std::max_element(lost.latencies.begin(), lost.latencies.end());
  EXPECT_GT(slowest, 4);
  EXPECT_LT(slowest, 5.5);
  EXPECT_GT(lost.busy[1].computing, 0.1);
  // Those that find no room to wait are refused: about 4 a second for 5 seconds, but 10.
  options.max_in_flight = 10;
  const Simulation full = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_GT(full.refused, 3U);
  EXPECT_LT(full.refused, 25U);
  EXPECT_EQ(full.latencies.size() + full.refused, whole.latencies.size());
}

// Arrivals every few seconds: all that a request takes is its stage, as long as it does not meet the change.
TEST(Simulate, AStopgapServesUntilABetterPlanIsLoadedBesideIt) {
  const PlacementProblem problem = three_machines();
  SimulationOptions options = with_failure(1000);
  options.rate = 0.2;
  options.seconds = 3000;
  options.recover = [&](std::size_t, double) {
    return std::vector<SimulatedChange>{{1, evaluate(problem, {2})}, {999, evaluate(problem, {1})}};
  };
  const Simulation simulation = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_EQ(simulation.changes, (std::vector<double>{1001, 2000}));
  const auto count = [&](double seconds) {
    return std::count_if(simulation.latencies.begin(), simulation.latencies.end(),
                         [&](double latency) { return std::abs(latency - seconds) < 1e-6; });
  };
  // About 200 each, of which some meet another.
  EXPECT_NEAR(static_cast<double>(count(0.05)), 200, 50);
  EXPECT_NEAR(static_cast<double>(count(0.2)), 200, 50);
  EXPECT_NEAR(static_cast<double>(count(0.1)), 200, 50);
  EXPECT_EQ(simulation.failed + simulation.refused, 0U);
}

// The stopgap carries 5 of 10 requests a second, so that 100 are with it when the better plan takes over; 25
// of them end there within five seconds, the others are sent again.
TEST(Simulate, WhatIsUnderWayAtAChangeIsAnsweredOnce) {
  const PlacementProblem problem = three_machines();
  SimulationOptions options = with_failure(10);
  options.rate = 10;
  options.seconds = 60;
  options.recover = [&](std::size_t, double) {
    return std::vector<SimulatedChange>{{0, evaluate(problem, {2})}, {20, evaluate(problem, {1})}};
  };
  const Simulation simulation = simulate(problem, evaluate(problem, {0}), options);
  SimulationOptions quiet = options;
  quiet.failure.reset();
  EXPECT_EQ(simulation.latencies.size(), simulate(problem, evaluate(problem, {0}), quiet).latencies.size());
  EXPECT_NEAR(static_cast<double>(simulation.resent), 75, 35);
}

TEST(Simulate, AMachineThatThePlanDoesNotUseMayFail) {
  const PlacementProblem problem = three_machines();
  SimulationOptions options = with_failure(50);
  options.failure->device = 1;
  options.recover = [](std::size_t, double) {
    ADD_FAILURE() << "nothing was lost";
    return std::vector<SimulatedChange>{};
  };
  const Simulation simulation = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_TRUE(simulation.recovered);
  EXPECT_TRUE(simulation.changes.empty());
  EXPECT_EQ(simulation.latencies, simulate(problem, evaluate(problem, {0}), with_failure(1000)).latencies);
}

// Those that wait fail after the patience, the others are refused at once: 2 s and 48 s at 4 a second.
TEST(Simulate, WithoutAPlanRequestsFailAndOthersAreRefused) {
  const PlacementProblem problem = three_machines();
  SimulationOptions options = with_failure(50);
  options.patience = 2;
  options.recover = [](std::size_t, double) { return std::vector<SimulatedChange>{}; };
  const Simulation lost = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_FALSE(lost.recovered);
  EXPECT_NEAR(static_cast<double>(lost.failed), 8, 7);
  EXPECT_NEAR(static_cast<double>(lost.refused), 192, 40);
}

TEST(Simulate, TheSameSeedGivesTheSameAnswer) {
  const PlacementProblem problem = one_machine(0.01);
  SimulationOptions options;
  options.rate = 50;
  options.spread = [](const PlacedStage&, std::size_t) { return 0.2; };
  const Placement placement = evaluate(problem, {0});
  EXPECT_EQ(simulate(problem, placement, options).latencies, simulate(problem, placement, options).latencies);
  SimulationOptions steady = options;
  steady.spread = nullptr;
  EXPECT_NE(simulate(problem, placement, options).latencies, simulate(problem, placement, steady).latencies);
}

}  // namespace
}  // namespace lamina
