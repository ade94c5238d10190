#include "cli/planning.h"

#include "base/error.h"
#include "base/text.h"
#include "graph/rows.h"
#include "plan/conflict.h"
#include "plan/constraints.h"
#include "plan/holes.h"
#include "plan/measured_choice.h"
#include "plan/plan_wires.h"
#include "plan/problem.h"
#include "plan/stopgap.h"

#include <algorithm>
#include <cstdio>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>

namespace lamina::cli {

namespace {

// In a second a quota and what is under way when it begins and ends make a rate a fifth wrong.
constexpr std::chrono::seconds kLongRun{4};

bool rate_counts(const PlanningRequest& request) {
  return request.objective == Objective::throughput || std::isfinite(request.period);
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

Planning::Planning(const SlicedModel& model, const Benchmark& benchmark, std::string source,
                   const PlanArguments& arguments, DeviceChanges changes)
    : model_(model),
      source_(std::move(source)),
      demands_(demands_of(arguments, signature_of(model.graph))),
      changes_(std::move(changes)),
      joins_(!arguments.batch.empty()),
      wire_arguments_(arguments.wire),
      layers_(layers_of(model, benchmark)),
      constraints_(parse_constraints(arguments.constraints)),
      request_(request_of(arguments, benchmark.devices.size())) {
  for (const std::int64_t batch : wanted_sizes(benchmark, arguments.batch)) {
    if (joins_ && batch > 1) check_rows_apart(model.graph);
    PlanningProblem one{at_batch(benchmark, batch), {}, request_};
    if (joins_) one.request.period *= static_cast<double>(batch);
    by_batch_.emplace(batch, std::move(one));
  }
  sizes_ = describe_sizes(benchmark, arguments.batch);
  if (wire_arguments_.wire != "f32") wires_.emplace(wire_arguments_, model, benchmark);
}

std::vector<Plan> Planning::find(std::size_t top) {
  std::vector<Plan> plans;
  std::optional<Error> first_error;
  for (auto& [batch, one] : by_batch_) {
    one.request.top = top;
    try {
      std::vector<Plan> found = find_of(one);
      if (joins_ && batch > 1) join_requests(found, request_.deadline);
      plans.insert(plans.end(), found.begin(), found.end());
    } catch (const Error& error) {
      if (!says_none_fits(error)) throw;
      if (!first_error) first_error = error;
    }
  }
  if (plans.empty()) throw Error(*first_error);
  keep_best(plans, top);
  return plans;
}

std::vector<Plan> Planning::find_to_run(std::size_t top, std::size_t count) {
  return find(can_rank(request_) ? std::max(top, count) : top);
}

std::vector<Plan> Planning::find_again(std::vector<Plan> plans, std::size_t top) {
  try {
    return find(top);
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
    return plans;
  }
}

PlacementProblem Planning::problem_of(const PlanningProblem& one, const Plan* chosen) const {
  PlacementProblem problem = make_problem(one.benchmark, source_);
  one.corrections.apply(problem);
  name_layers_of_branches(model_, problem);
  if (chosen != nullptr) {
    add_wires(problem, one.benchmark, *chosen);
  } else if (wires_) {
    wires_->add_to(problem);
  }
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    const std::string& name = problem.devices[device].name;
    const auto slow = changes_.slowness.find(name);
    if (slow != changes_.slowness.end()) slow_down(problem, device, slow->second);
    if (changes_.gone.contains(name)) forbid_device(problem, device);
  }
  return problem;
}

std::vector<Plan> Planning::find_of(PlanningProblem& one) {
  const PlacementProblem free = problem_of(one);
  one.problem = free;
  apply_constraints(constraints_, layers_, one.problem);
  one.request.time_limits = time_limits(constraints_, one.problem);
  std::vector<Plan> plans;
  try {
    bool accepted = true;
    for (const PlannedPlacement& found : find_placements(one.problem, one.request)) {
      plans.push_back(make_plan(one.benchmark, source_, one.request.objective, found, one.problem));
      plans.back().demands = demands_;
      if (wires_) accepted = wires_->accept(plans.back(), found.placement) && accepted;
    }
    // Some hop has to be wider.
    if (!accepted) return find_of(one);
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
    const auto stuck = explain_stuck_piece(one.benchmark, free, one.problem, changes_.gone);
    const std::string reason = stuck.value_or(error.what());
    const std::string conflict =
        explain_conflict(free, layers_, constraints_, one.request,
                         stuck ? std::vector<Hole>{} : holes_of(one.benchmark, changes_.gone));
    throw Error(error.code(), conflict.empty() ? reason : reason + "; " + conflict);
  }
  return plans;
}

std::optional<Plan> Planning::find_stopgap(const Plan& ran, double rows_per_second) const {
  const PlanningProblem& one = by_batch_.at(ran.batch);
  PlacementProblem problem = problem_of(one, &ran);
  apply_constraints(constraints_, layers_, problem);
  const double period = std::min(one.request.period, static_cast<double>(ran.batch) / rows_per_second);
  const std::vector<TimeLimit> limits = time_limits(constraints_, problem);
  const auto accepts = [&](const Placement& placement) {
    return placement.latency <= one.request.deadline && placement.period <= period &&
           keeps_time_limits(problem, placement, limits);
  };
  const std::optional<Placement> found =
      lamina::find_stopgap(problem, placement_of(ran, one.benchmark, problem), accepts);
  if (!found) return std::nullopt;
  Plan plan = make_plan(one.benchmark, source_, one.request.objective, {*found, 0, false}, problem);
  plan.demands = ran.demands;
  plan.joining = ran.joining;
  return plan;
}

std::vector<std::string> Planning::remarks() const {
  std::vector<std::string> remarks;
  if (!sizes_.empty()) remarks.push_back(sizes_);
  for (const auto& [batch, one] : by_batch_) {
    for (const std::string& line : describe_holes(one.benchmark)) {
      if (std::find(remarks.begin(), remarks.end(), line) == remarks.end()) remarks.push_back(line);
    }
  }
  return remarks;
}

void Planning::learn(const Plan& plan, const StageRuns& runs) {
  PlanningProblem& one = by_batch_.at(plan.batch);
  PlacementProblem measured = make_problem(one.benchmark, source_);
  if (wires_) wires_->add_to(measured);
  one.corrections.learn(measured, placement_of(plan, one.benchmark, measured), runs);
}

double Planning::gain(const Plan& plan, const Plan& against) const {
  const auto found = by_batch_.find(against.batch);
  if (found == by_batch_.end()) return 1;
  const PlanningProblem& one = found->second;
  const Placement placement = placement_of(against, one.benchmark, problem_of(one));
  if (placement.latency > one.request.deadline || placement.period > one.request.period) return 1;
  Plan now = against;
  now.objective = plan.objective;
  now.latency = placement.latency;
  now.period = placement.period;
  const double before = objective_figure(now);
  return before > 0 ? 1 - objective_figure(plan) / before : 0;
}

std::vector<Plan> rehearse_plans(Planning& planning, std::vector<Plan> plans, std::size_t count,
                                 const SlicedModel& model, const std::string& model_hash, Fleet& fleet,
                                 const HeadOptions& head) {
  const std::size_t wanted = plans.size();
  RehearsalOptions options{.head = head};
  if (rate_counts(planning.request())) options.busy = kLongRun;
  std::vector<Plan> ran;
  std::vector<Plan> failed;
  const auto is_new = [&](const Plan& plan) {
    const auto same = [&](const Plan& other) { return runs_alike(plan, other); };
    return std::none_of(ran.begin(), ran.end(), same) && std::none_of(failed.begin(), failed.end(), same);
  };
  std::optional<Error> first_error;
  for (std::size_t number = 1; number <= count; ++number) {
    const auto next = std::find_if(plans.begin(), plans.end(), is_new);
    if (next == plans.end()) break;
    Plan plan = *next;
    std::string outcome;
    bool learnt = false;
    try {
      planning.learn(plan, rehearse(plan, model, model_hash, fleet, options));
      const double joined = joined_requests(plan);
      outcome = fmt::format("predicted {} and {:.4g} requests/s, measured {} and {:.4g} requests/s",
                            format_seconds(plan.latency), joined / plan.period,
                            format_seconds(plan.measured->latency), joined / plan.measured->period);
      ran.push_back(std::move(plan));
      learnt = true;
    } catch (const Error& error) {
      if (!first_error) first_error = error;
      outcome = fmt::format("can't run: {}", error.what());
      failed.push_back(std::move(plan));
      fleet.restart_ended();
    }
    std::printf("plan %zu of %zu on the machines: %s\n", number, count, outcome.c_str());
    std::fflush(stdout);
    if (learnt) plans = planning.find_again(std::move(plans), wanted);
  }
  if (ran.empty()) throw Error(*first_error);
  order_by_measurement(ran, planning.request());
  if (!keeps_demands(ran.front(), planning.request())) {
    std::fprintf(stderr, "measured, no plan keeps the deadline and the rate asked for; the best is kept\n");
  }
  std::copy_if(plans.begin(), plans.end(), std::back_inserter(ran), is_new);
  return ran;
}

}  // namespace lamina::cli
