// lamina simulate: what a plan would do under load, without a machine.
#include "plan/simulate.h"

#include "base/error.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/simulated_recovery.h"
#include "cluster/supervisor.h"
#include "plan/plan_file.h"
#include "plan/plan_wires.h"
#include "plan/problem.h"
#include "profile/statistics.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  std::string directory;
  std::string plan;
  std::string rate;
  double seconds = 60;
  std::string failure;
  std::optional<double> recovery;
  std::size_t max_in_flight = 64;
  std::uint64_t seed = 1;
};

// "vm5@10s"
SimulatedFailure parse_failure(const std::string& text, const PlacementProblem& problem) {
  const std::size_t at = text.find('@');
  if (at == std::string::npos)
    fail(ErrorCode::invalid_argument, "--fail is '{}', expected a machine and a time such as vm5@10s", text);
  SimulatedFailure failure;
  failure.device = find_device(problem, text.substr(0, at), "--fail");
  failure.at =
      std::chrono::duration<double>(parse_duration(text.substr(at + 1), "the time of --fail")).count();
  return failure;
}

// Of the pieces or branches of a stage.
std::vector<PieceMeasurement> measurements_of(const Benchmark& benchmark, const PlacedStage& stage,
                                              std::size_t device) {
  const auto& pieces = benchmark.measurements[device];
  if (stage.branches.empty()) {
    return {pieces.begin() + static_cast<std::ptrdiff_t>(stage.first_piece),
            pieces.begin() + static_cast<std::ptrdiff_t>(stage.end_piece)};
  }
  std::vector<PieceMeasurement> measurements;
  for (const BlockInfo& block : benchmark.blocks) {
    if (block.begin != benchmark.pieces[stage.first_piece].begin) continue;
    for (const std::size_t branch : stage.branches)
      measurements.push_back(block.measurements[device][branch]);
  }
  return measurements;
}

// Runs of a piece are taken to be lognormal: half the logarithm of p90/p10 is 1.28 standard deviations. A
// stage's is that of its pieces, weighted by their times.
double spread_of(const Benchmark& benchmark, const PlacedStage& stage, std::size_t device) {
  double seconds = 0;
  double weighted = 0;
  for (const PieceMeasurement& measured : measurements_of(benchmark, stage, device)) {
    if (!measured.time || !(measured.time->p10 > 0)) continue;
    seconds += measured.time->median;
    weighted += measured.time->median * std::log(measured.time->p90 / measured.time->p10) / (2 * 1.2816);
  }
  return seconds > 0 ? weighted / seconds : 0;
}

void print_recovery(const PlacementProblem& problem, const SimulatedFailure& failure,
                    const std::vector<std::string>& described, const Simulation& simulation) {
  std::printf("after %s '%s' stops", format_seconds(failure.at).c_str(),
              problem.devices[failure.device].name.c_str());
  if (!simulation.recovered) {
    std::printf(": no plan fits the machines that are left\n");
  } else if (simulation.changes.empty()) {
    std::printf(", which the plan does not use\n");
  } else {
    std::printf(", %zu request%s under way %s sent again\n", simulation.resent,
                simulation.resent == 1 ? "" : "s", simulation.resent == 1 ? "is" : "are");
  }
  for (std::size_t i = 0; i < simulation.changes.size(); ++i)
    std::printf("after %s serves %s\n", format_seconds(simulation.changes[i]).c_str(), described[i].c_str());
}

void print(const PlacementProblem& problem, const Plan& plan, const Options& options, double rate,
           const std::optional<SimulatedFailure>& failure, const std::vector<std::string>& described,
           const Simulation& simulation) {
  std::printf("%.4g requests/s for %.4g s on a plan of at most %.4g: %zu answered, %zu refused, %zu failed\n",
              rate, options.seconds, joined_requests(plan) / plan.period, simulation.latencies.size(),
              simulation.refused, simulation.failed);
  if (failure) print_recovery(problem, *failure, described, simulation);
  if (simulation.latencies.empty()) return;
  if (plan.joining) {
    std::printf("batches of %.1f requests\n",
                static_cast<double>(simulation.latencies.size()) / static_cast<double>(simulation.batches));
  }
  std::printf("latency: p50 %s, p90 %s, p99 %s, slowest %s; %s for one %s alone\n\n",
              format_seconds(quantile(simulation.latencies, 0.5)).c_str(),
              format_seconds(quantile(simulation.latencies, 0.9)).c_str(),
              format_seconds(quantile(simulation.latencies, 0.99)).c_str(),
              format_seconds(quantile(simulation.latencies, 1)).c_str(), format_seconds(plan.latency).c_str(),
              plan.joining ? "full batch" : "request");
  std::vector<std::vector<std::string>> rows = {{"machine", "computing", "sending", "receiving"}};
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    const DeviceLoad& busy = simulation.busy[device];
    rows.push_back({problem.devices[device].name, format_percent(busy.computing),
                    format_percent(busy.sending), format_percent(busy.receiving)});
  }
  std::printf("%s\n", format_table(rows).c_str());
  rows = {{"stage", "slice", "most waiting"}};
  for (std::size_t stage = 0; stage < plan.stages.size(); ++stage) {
    rows.push_back({std::to_string(stage + 1), plan.stages[stage].name,
                    std::to_string(simulation.stages[stage].most_waiting)});
  }
  std::printf("%s", format_table(rows).c_str());
}

void run(const Options& options) {
  const Plan plan = options.plan.empty() ? load_plan(options.directory) : read_plan(options.plan);
  const Benchmark every_size = load_benchmark(options.directory);
  const Benchmark benchmark = at_batch(every_size, plan.batch);
  const PlacementProblem problem = make_problem(benchmark, plan);
  const Placement placement = placement_of(plan, benchmark, problem);
  const double rate = options.rate.empty() ? 0.8 * joined_requests(plan) / placement.period
                                           : parse_rate(options.rate, "--rate");
  SimulationOptions simulation;
  simulation.rate = rate;
  simulation.seconds = options.seconds;
  simulation.max_in_flight = options.max_in_flight;
  simulation.seed = options.seed;
  simulation.spread = [&](const PlacedStage& stage, std::size_t device) {
    return spread_of(benchmark, stage, device);
  };
  if (plan.joining)
    simulation.joining = {static_cast<std::size_t>(plan.batch), plan.joining->window,
                          problem_of_rows(plan, every_size)};
  std::optional<SimulatedRecovery> recovery;  // needs the model
  if (!options.failure.empty()) {
    simulation.failure = parse_failure(options.failure, problem);
    recovery.emplace(options.directory, plan, every_size);
    simulation.patience = std::chrono::duration<double>(SupervisorOptions().patience).count();
    simulation.recover = [&](std::size_t device, double requests_per_second) {
      std::vector<SimulatedChange> changes = recovery->recover(device, requests_per_second);
      if (options.recovery && !changes.empty()) changes.front().seconds = *options.recovery;
      return changes;
    };
  }
  const Simulation result = simulate(problem, placement, simulation);
  print(problem, plan, options, rate, simulation.failure,
        recovery ? recovery->described() : std::vector<std::string>{}, result);
}

}  // namespace

void add_simulate(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("simulate", "What a plan would do under load, without the machines");
  command->add_option("DIR", options->directory, "a directory with a benchmark and a plan")->required();
  command->add_option("--plan", options->plan, "another plan than DIR/plan.json");
  command->add_option("--rate", options->rate,
                      "requests a second, such as 50/s; without it 80 % of the most");
  command->add_option("--seconds", options->seconds, "that requests arrive for")
      ->capture_default_str()
      ->check(CLI::Range(0.001, 1e5));
  command->add_option("--fail", options->failure, "a machine that stops at a time, such as vm5@10s");
  command
      ->add_option(
          "--recovery", options->recovery,
          "seconds from then until a plan without it serves; without it the time to load what it lacks")
      ->check(number_from_0());
  command
      ->add_option("--max-in-flight", options->max_in_flight, "requests under way at once; more are refused")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command->add_option("--seed", options->seed, "of what is random")->capture_default_str();
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
