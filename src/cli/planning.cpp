#include "cli/planning.h"

#include "base/error.h"
#include "base/text.h"
#include "graph/rows.h"
#include "plan/conflict.h"
#include "plan/constraints.h"
#include "plan/measured_choice.h"
#include "plan/problem.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <limits>
#include <optional>
#include <utility>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

namespace lamina::cli {

namespace {

// A number from 1 on; nothing for other text.
std::optional<std::int64_t> parse_count(const std::string& text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::int64_t parse_size(const std::string& text, const std::string& range) {
  if (const auto size = parse_count(text)) return *size;
  fail(ErrorCode::invalid_argument, "--batch is '{}', expected a size or a range of sizes such as 1..64",
       range);
}

std::size_t parse_replicas(const std::string& text, std::size_t machines) {
  if (text == "auto") return machines;
  if (const auto number = parse_count(text)) return static_cast<std::size_t>(*number);
  fail(ErrorCode::invalid_argument, "--replicas is '{}', expected a number from 1 on, or auto", text);
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
  request.branches = !arguments.no_branches;
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

// The names of their layers, for constraints. Benchmark and model have the same blocks: its hash says so.
void name_layers_of_branches(const SlicedModel& model, PlacementProblem& problem) {
  for (std::size_t i = 0; i < std::min(model.blocks.size(), problem.blocks.size()); ++i) {
    std::vector<PlanBranch>& branches = problem.blocks[i].branches;
    for (std::size_t j = 0; j < std::min(model.blocks[i].branches.size(), branches.size()); ++j) {
      for (const LayerId layer : model.blocks[i].branches[j])
        branches[j].layers.push_back(model.graph.layers()[layer].name);
    }
  }
}

// The sizes that were measured and are asked for.
std::vector<std::int64_t> wanted_sizes(const Benchmark& benchmark, const std::string& range) {
  if (range.empty()) return {benchmark.batch};
  const std::size_t dots = range.find("..");
  const std::int64_t first = parse_size(range.substr(0, dots), range);
  const std::int64_t last = dots == std::string::npos ? first : parse_size(range.substr(dots + 2), range);
  if (last < first)
    fail(ErrorCode::invalid_argument, "--batch is '{}', expected the smaller size first", range);
  std::vector<std::int64_t> sizes = batch_sizes(benchmark);
  std::erase_if(sizes, [&](std::int64_t size) { return size < first || size > last; });
  if (sizes.empty()) {
    fail(ErrorCode::invalid_argument,
         "--batch is {}, but only batches of {} were measured; 'lamina benchmark -b 1,4,16' measures several",
         range, fmt::join(batch_sizes(benchmark), ", "));
  }
  return sizes;
}

// Where none keeps what is asked for, the Error says which demands are in each other's way.
std::vector<Plan> plans_of(const SlicedModel& model, PlanningProblem& one, const std::string& source,
                           const std::vector<std::vector<std::string>>& layers,
                           const Constraints& constraints, WireChoice* wires,
                           const std::set<std::string>& gone) {
  PlacementProblem free = make_problem(one.benchmark, source);
  name_layers_of_branches(model, free);
  for (std::size_t device = 0; device < free.devices.size(); ++device) {
    if (gone.contains(free.devices[device].name)) forbid_device(free, device);
  }
  if (wires != nullptr) wires->add_to(free);
  one.problem = free;
  apply_constraints(constraints, layers, one.problem);
  one.request.time_limits = time_limits(constraints, one.problem);
  std::vector<Plan> plans;
  try {
    bool accepted = true;
    for (const PlannedPlacement& found : find_placements(one.problem, one.request)) {
      plans.push_back(make_plan(one.benchmark, source, one.request.objective, found, one.problem));
      if (wires != nullptr) accepted = wires->accept(plans.back(), found.placement) && accepted;
    }
    // Some hop has to be wider.
    if (!accepted) return plans_of(model, one, source, layers, constraints, wires, gone);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::resource_exhausted && error.code() != ErrorCode::out_of_memory) throw;
    const std::string conflict = explain_conflict(free, layers, constraints, one.request);
    if (conflict.empty()) throw;
    fail(error.code(), "{}; {}", error.what(), conflict);
  }
  return plans;
}

// A request waits at most as long as the deadline leaves, and no longer than the pipeline takes to be free
// for another batch.
void join_requests(std::vector<Plan>& plans, double deadline) {
  for (Plan& plan : plans) plan.joining = {std::clamp(deadline - plan.latency, 0.0, plan.period)};
}

// The best of all sizes. What is proven of each size is proven of all: the least bound counts.
void keep_best(std::vector<Plan>& plans, std::size_t top) {
  std::stable_sort(plans.begin(), plans.end(), [](const Plan& a, const Plan& b) {
    return std::pair(objective_figure(a), a.latency) < std::pair(objective_figure(b), b.latency);
  });
  const auto scale = [](const Plan& plan) {
    return plan.objective == Objective::throughput ? joined_requests(plan) : 1;
  };
  double bound = std::numeric_limits<double>::infinity();
  for (const Plan& plan : plans) bound = std::min(bound, plan.lower_bound / scale(plan));
  for (Plan& plan : plans) plan.lower_bound = std::min(plan.lower_bound, bound * scale(plan));
  if (plans.size() > top) plans.erase(plans.begin() + static_cast<std::ptrdiff_t>(top), plans.end());
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
  command.add_flag("--no-branches", no_branches,
                   "run branches of the model one after another, also where they are faster at once");
  command.add_option("--time-limit", time_limit, "seconds to look for the best plan and its proof")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command
      .add_option(
          "--wire", wire.wire,
          "format of tensors between machines; auto: for each hop the one that is there soonest, of those "
          "that keep the answers")
      ->capture_default_str()
      ->check(CLI::IsMember({"f32", "bf16", "f16", "int8", "lz4", "auto"}));
  command.add_option("--calibration", wire.calibration,
                     "an .npy for each input, to try wire formats on; random values without it");
  command
      .add_option("--wire-tolerance", wire.tolerance,
                  "greatest difference that wire formats may make, relative to the largest output")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
}

PlanDemands demands_of(const PlanArguments& arguments) {
  PlanDemands demands;
  demands.constraints = arguments.constraints;
  demands.deadline = arguments.deadline;
  demands.min_rate = arguments.min_rate;
  demands.replicas = arguments.replicas;
  demands.batch = arguments.batch;
  demands.branches = !arguments.no_branches;
  demands.wire = arguments.wire.wire;
  demands.wire_tolerance = arguments.wire.tolerance;
  for (const std::string& file : arguments.wire.calibration)
    demands.calibration.push_back(std::filesystem::absolute(file).string());
  return demands;
}

PlanArguments arguments_of(const Plan& plan) {
  PlanArguments arguments;
  arguments.objective = to_string(plan.objective);
  arguments.constraints = plan.demands.constraints;
  arguments.deadline = plan.demands.deadline;
  arguments.min_rate = plan.demands.min_rate;
  arguments.replicas = plan.demands.replicas;
  arguments.batch = plan.demands.batch;
  arguments.no_branches = !plan.demands.branches;
  arguments.wire = {plan.demands.wire, plan.demands.calibration, plan.demands.wire_tolerance};
  return arguments;
}

Planned make_plans(const SlicedModel& model, const Benchmark& benchmark, const std::string& source,
                   const PlanArguments& arguments, std::size_t top, const std::set<std::string>& gone) {
  const auto layers = layers_of(model, benchmark);
  const Constraints constraints = parse_constraints(arguments.constraints);
  Planned planned;
  planned.request = request_of(arguments, benchmark.devices.size(), top);
  const bool joins = !arguments.batch.empty();
  std::optional<WireChoice> wires;
  if (arguments.wire.wire != "f32") wires.emplace(arguments.wire, model, benchmark);
  std::optional<Error> first_error;
  for (const std::int64_t batch : wanted_sizes(benchmark, arguments.batch)) {
    if (joins && batch > 1) check_rows_apart(model.graph);
    try {
      PlanningProblem one{at_batch(benchmark, batch), {}, planned.request};
      if (joins) one.request.period *= static_cast<double>(batch);
      std::vector<Plan> plans =
          plans_of(model, one, source, layers, constraints, wires ? &*wires : nullptr, gone);
      for (Plan& plan : plans) plan.demands = demands_of(arguments);
      if (joins && batch > 1) join_requests(plans, planned.request.deadline);
      planned.plans.insert(planned.plans.end(), plans.begin(), plans.end());
      planned.by_batch.emplace(batch, std::move(one));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::resource_exhausted && error.code() != ErrorCode::out_of_memory) throw;
      if (!first_error) first_error = error;
    }
  }
  if (planned.plans.empty()) throw Error(*first_error);
  keep_best(planned.plans, top);
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
      outcome =
          fmt::format("predicted {}, measured {} and {:.4g} requests/s", format_seconds(plan.latency),
                      format_seconds(plan.measured->latency), joined_requests(plan) / plan.measured->period);
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
