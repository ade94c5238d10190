#include "cli/planning.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/conflict.h"
#include "plan/constraints.h"
#include "plan/measured_choice.h"
#include "plan/problem.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

std::size_t parse_replicas(const std::string& text, std::size_t machines) {
  if (text == "auto") return machines;
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) {
    fail(ErrorCode::invalid_argument, "--replicas is '{}', expected a number from 1 on, or auto", text);
  }
  return number;
}

PlanningRequest request_of(const PlanArguments& arguments, std::size_t machines, std::size_t top) {
  PlanningRequest request;
  request.objective = objective_from_string(arguments.objective, "--objective");
  if (!arguments.deadline.empty())
    request.deadline =
        std::chrono::duration<double>(parse_duration(arguments.deadline, "--deadline")).count();
  if (!arguments.min_rate.empty()) request.period = 1 / parse_rate(arguments.min_rate, "--min-rate");
  request.replicas = parse_replicas(arguments.replicas, machines);
  request.top = top;
  request.time_limit =
      std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(arguments.time_limit));
  return request;
}

// By piece, the names of its layers.
std::vector<std::vector<std::string>> layers_of(const SlicedModel& model, const Benchmark& benchmark) {
  std::vector<std::vector<std::string>> layers;
  for (const PieceInfo& piece : benchmark.pieces) {
    auto& names = layers.emplace_back();
    for (std::size_t layer = piece.begin; layer < piece.end && layer < model.graph.layers().size(); ++layer)
      names.push_back(model.graph.layers()[layer].name);
  }
  return layers;
}

}  // namespace

void PlanArguments::add_to(CLI::App& command) {
  command.add_option(
      "-c,--constraints", constraints,
      "must={slice:machine,…},mustnot={…},use={machine,…},avoid={…},private={layers},bytes={from>to:1MB},"
      "time={machine:50%}; slices by name of layer, * stands for any letters");
  command.add_option("--objective", objective, "what the plan is best at")
      ->capture_default_str()
      ->check(CLI::IsMember({"latency", "throughput", "memory", "devices"}));
  command.add_option("--deadline", deadline, "the most that a request may take, such as 50ms");
  command.add_option("--min-rate", min_rate, "the least that the plan carries, such as 20/s");
  command.add_option("--replicas", replicas, "machines that may run the same stage, at most; auto: all")
      ->capture_default_str();
  command.add_option("--time-limit", time_limit, "seconds to look for the best plan and its proof")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

Planned make_plans(const SlicedModel& model, const Benchmark& benchmark, const std::string& source,
                   const PlanArguments& arguments, std::size_t top) {
  Planned planned;
  const PlacementProblem free = make_problem(benchmark, source);
  const auto layers = layers_of(model, benchmark);
  const Constraints constraints = parse_constraints(arguments.constraints);
  planned.problem = free;
  planned.request = request_of(arguments, benchmark.devices.size(), top);
  apply_constraints(constraints, layers, planned.problem);
  planned.request.time_limits = time_limits(constraints, planned.problem);
  std::vector<PlannedPlacement> found;
  try {
    found = find_placements(planned.problem, planned.request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::resource_exhausted && error.code() != ErrorCode::out_of_memory) throw;
    const std::string conflict = explain_conflict(free, layers, constraints, planned.request);
    if (conflict.empty()) throw;
    fail(error.code(), "{}; {}", error.what(), conflict);
  }
  for (const PlannedPlacement& one : found)
    planned.plans.push_back(make_plan(benchmark, source, planned.request.objective, one));
  return planned;
}

void rehearse_plans(Planned& planned, std::size_t count, const SlicedModel& model,
                    const std::string& model_hash, Fleet& fleet, const HeadOptions& head) {
  count = std::min(count, planned.plans.size());
  std::optional<Error> first_error;
  for (std::size_t rank = 0; rank < count; ++rank) {
    Plan& plan = planned.plans[rank];
    std::string outcome;
    try {
      rehearse(plan, model, model_hash, fleet, {.head = head});
      outcome = fmt::format("predicted {}, measured {} and {:.4g} requests/s", format_seconds(plan.latency),
                            format_seconds(plan.measured->latency), 1 / plan.measured->period);
    } catch (const Error& error) {
      if (!first_error) first_error = error;
      outcome = fmt::format("can't run: {}", error.what());
      fleet.restart_ended();
    }
    std::printf("plan %zu of %zu on the machines: %s\n", rank + 1, count, outcome.c_str());
    std::fflush(stdout);
  }
  order_by_measurement(planned.plans, planned.request);
  if (!planned.plans.front().measured) throw Error(*first_error);
  if (!keeps_demands(planned.plans.front(), planned.request)) {
    std::fprintf(stderr, "measured, no plan keeps the deadline and the rate asked for; the best is kept\n");
  }
}

}  // namespace lamina::cli
