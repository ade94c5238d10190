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

TEST(Simulate, AFailureEndsWhatIsUnderWayAndRefusesUntilTheNextPlan) {
  PlacementProblem problem = one_machine(0.05);
  problem.devices.push_back({"other", 1U << 30U});
  problem.cost.push_back({{0.1, 1, 1}});
  problem.links = {{{0, 1e12}, {0, 1e12}}, {{0, 1e12}, {0, 1e12}}};
  SimulationOptions options;
  options.rate = 8;
  options.seconds = 100;
  options.failure = SimulatedFailure{0, 50, 5};
  options.replan = [&](std::size_t device) {
    EXPECT_EQ(device, 0U);
    return std::optional(evaluate(problem, {1}));
  };
  const Simulation simulation = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_TRUE(simulation.recovered);
  EXPECT_GT(simulation.refused, 15U);  // about 8 a second for 5 seconds
  EXPECT_LT(simulation.refused, 80U);
  EXPECT_LE(simulation.failed, 10U);
  EXPECT_GT(simulation.busy[1].computing, 0.2);
  options.replan = nullptr;
  const Simulation lost = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_FALSE(lost.recovered);
  EXPECT_GT(lost.refused, 300U);
}

// 8 requests a second are refused for as long as loading takes: 1 s for 100 MB on the way and 4 s to be
// ready.
TEST(Simulate, WithoutATimeRecoveryIsLoadingTheNextPlan) {
  PlacementProblem problem = one_machine(0.05);
  problem.devices.push_back({"other", 1U << 30U});
  problem.cost.push_back({{0.1, 100'000'000, 1}});
  problem.cost[1][0].load = 4;
  problem.links = {{{0, 1e12}, {0, 1e8}}, {{0, 1e12}, {0, 1e12}}};
  SimulationOptions options;
  options.rate = 8;
  options.seconds = 100;
  options.failure = SimulatedFailure{0, 50};
  options.replan = [&](std::size_t) { return std::optional(evaluate(problem, {1})); };
  const Simulation loading = simulate(problem, evaluate(problem, {0}), options);
  options.failure->recovery = 5;
  const Simulation told = simulate(problem, evaluate(problem, {0}), options);
  EXPECT_EQ(loading.latencies, told.latencies);
  EXPECT_EQ(loading.refused, told.refused);
  EXPECT_GT(loading.refused, 15U);
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
