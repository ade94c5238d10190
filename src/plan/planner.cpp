#include "plan/planner.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/branch_cost.h"
#include "plan/branch_rates.h"
#include "plan/fewest_devices.h"
#include "plan/from_fastest.h"
#include "plan/highest_rate.h"
#include "plan/least_latency_branches.h"
#include "plan/least_memory.h"
#include "plan/problem_check.h"
#include "plan/ranked_placements.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace lamina {

namespace {

// Placements looked at for one that keeps the time limits of devices.
constexpr std::size_t kMostRanked = 5000;
constexpr double kParetoStep = 0.02;
// Parts of the planning time where no proof is needed.
constexpr int kPartForFastest = 10;
constexpr int kPartForOthers = 50;
// Equal periods may be summed up in another order.
constexpr double kRounding = 1e-12;
// Of looking for branches, for a point between the ends of the front.
constexpr Clock::duration kBranchTimeOfPoint = std::chrono::seconds(1);

Demands demands_of(const PlanningRequest& request) {
  Demands demands{request.deadline, request.period, request.replicas, request.time_limit};
  demands.branch_time = request.branch_time;
  return demands;
}

bool may_fork(const PlacementProblem& problem, const PlanningRequest& request) {
  return request.branches && !problem.blocks.empty() && problem.wires.empty();
}

PlannedPlacement find_highest_rate_within(const PlacementProblem& problem, const PlanningRequest& request) {
  const RateOptions options = rate_options(demands_of(request));
  PlannedPlacement planned = may_fork(problem, request) ? find_highest_rate_with_branches(problem, options)
                                                        : find_highest_rate(problem, options);
  if (planned.placement.period > request.period) {
    fail(ErrorCode::resource_exhausted,
         "no placement of one stage a machine carries {:.4g} requests/s: the best {} carries {:.4g}",
         1 / request.period, planned.proven_best ? "possible" : "found", 1 / planned.placement.period);
  }
  return planned;
}

PlannedPlacement find_fastest_way(const PlacementProblem& problem, const PlanningRequest& request) {
  if (!may_fork(problem, request)) return find_fastest(problem, demands_of(request));
  Demands demands = demands_of(request);
  demands.branches = true;
  std::optional<PlannedPlacement> chain;
  std::optional<Error> none;
  try {
    chain = find_least_latency(problem);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::out_of_memory) throw;
    none = error;
  }
  const std::optional<PlannedPlacement> found =
      find_least_latency_with_branches(problem, chain, {.time_limit = request.time_limit});
  if (!found) throw Error(*none);
  return keep_demands(problem, *found, demands);
}

std::optional<Placement> find_fastest_within(const PlacementProblem& problem, double period,
                                             const PlanningRequest& request) {
  const RateOptions options = rate_options(demands_of(request));
  if (!may_fork(problem, request)) return find_least_latency_within(problem, period, options);
  const auto planned = find_least_latency_within_with_branches(problem, period, options);
  return planned ? std::optional(planned->placement) : std::nullopt;
}

// The same, nothing where it is not known either.
std::optional<Placement> find_fastest_known_within(const PlacementProblem& problem, double period,
                                                   const PlanningRequest& request) {
  try {
    return find_fastest_within(problem, period, request);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded) throw;
    return std::nullopt;
  }
}

PlannedPlacement find_best(const PlacementProblem& problem, const PlanningRequest& request) {
  switch (request.objective) {
    case Objective::latency:
      return find_fastest_way(problem, request);
    case Objective::throughput:
      return find_highest_rate_within(problem, request);
    case Objective::memory:
      return find_least_memory(problem, demands_of(request));
    case Objective::devices:
      return find_fewest_devices(problem, demands_of(request));
  }
  fail(ErrorCode::internal, "an objective that is none");
}

// Placements for a rate have one stage a machine. Those that come to a machine again may carry more yet: they
// are tried from the fastest on, for a part of the time.
std::optional<Placement> find_one_that_carries_more(const PlacementProblem& problem,
                                                    const PlanningRequest& request,
                                                    const std::optional<PlannedPlacement>& pipeline) {
  if (request.objective != Objective::throughput || !request.time_limits.empty()) return std::nullopt;
  double period = pipeline ? pipeline->placement.period * (1 - kRounding)
                           : std::nextafter(request.period, std::numeric_limits<double>::infinity());
  std::optional<Placement> best;
  try {
    const PlannedPlacement fastest =
        find_least_latency(problem, planner_options(request.time_limit / kPartForFastest));
    const auto take_if_better = [&](const Placement& placement) {
      if (placement.latency > request.deadline) return false;
      if (placement.period < period) {
        period = placement.period;
        best = placement;
      }
      return true;
    };
    take_if_better(fastest.placement);
    visit_from_fastest(problem, fastest, Deadline(request.time_limit / kPartForOthers), take_if_better);
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
  }
  return best;
}

PlannedPlacement with_bound_of(Placement placement, const std::optional<PlannedPlacement>& pipeline) {
  const double bound = pipeline ? std::min(pipeline->lower_bound, placement.period) : placement.period;
  const bool proven = bound >= placement.period;
  return {std::move(placement), bound, proven, 0};
}

// The best placement, or why there is none.
struct Attempt {
  std::optional<PlannedPlacement> best;
  std::optional<Error> none;
};

Attempt try_best(const PlacementProblem& problem, const PlanningRequest& request) {
  try {
    return {find_best(problem, request), std::nullopt};
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
    return {std::nullopt, error};
  }
}

PlannedPlacement find_best_of_all(const PlacementProblem& problem, const PlanningRequest& request) {
  Attempt attempt = try_best(problem, request);
  if (auto other = find_one_that_carries_more(problem, request, attempt.best))
    return with_bound_of(std::move(*other), attempt.best);
  if (attempt.none) throw Error(*attempt.none);
  return std::move(*attempt.best);
}

RankedPlacements ranked(const PlacementProblem& problem, const PlanningRequest& request, Placement best) {
  const auto solve = [request](const PlacementProblem& part) -> std::optional<Placement> {
    Attempt attempt = try_best(part, request);
    if (attempt.none) return std::nullopt;
    return std::move(attempt.best->placement);
  };
  const bool by_rate = request.objective == Objective::throughput;
  const auto better = [by_rate](const Placement& a, const Placement& b) {
    if (by_rate && a.period != b.period) return a.period < b.period;
    return a.latency < b.latency;
  };
  return {problem, std::move(best), solve, better};
}

std::vector<PlannedPlacement> find_ranked(const PlacementProblem& problem, const PlanningRequest& request) {
  if (!can_rank(request)) {
    fail(ErrorCode::invalid_argument,
         "several plans, and limits of a machine's time, are found for the objectives latency and throughput "
         "without replicas");
  }
  const Deadline deadline(request.time_limit);
  std::vector<PlannedPlacement> found;
  PlanningRequest chains = request;
  chains.branches = false;
  double bound = std::numeric_limits<double>::infinity();
  if (request.branches && request.time_limits.empty()) {
    PlannedPlacement fastest = find_best(problem, request);
    bound = fastest.lower_bound;
    if (has_branches(fastest.placement.stages)) found.push_back(std::move(fastest));
  }
  // Where branches are forced onto several machines nothing else may be left.
  const auto [first, none] = try_best(problem, chains);
  const std::optional<PlannedPlacement> known = found.empty() ? first : std::optional(found.front());
  if (auto other = find_one_that_carries_more(problem, chains, known))
    found.insert(found.begin(), with_bound_of(std::move(*other), known));
  if (none && found.empty()) throw Error(*none);
  if (none) return found;
  const PlannedPlacement& best = *first;
  RankedPlacements placements = ranked(problem, chains, best.placement);
  for (std::size_t rank = 0; rank < kMostRanked && found.size() < request.top; ++rank) {
    if (deadline.passed()) break;
    std::optional<Placement> next = placements.next();
    if (!next) break;
    if (!keeps_time_limits(problem, *next, request.time_limits)) continue;
    found.push_back({std::move(*next), std::min(best.lower_bound, bound), best.proven_best, best.labels});
  }
  if (found.empty()) {
    fail(ErrorCode::resource_exhausted, "no placement was found that keeps the limits of the machines' time");
  }
  // The first that keeps the limits is best among those that do.
  if (!request.time_limits.empty() && best.proven_best) {
    const Placement& first = found.front().placement;
    const double figure = request.objective == Objective::throughput ? first.period : first.latency;
    for (PlannedPlacement& planned : found) planned.lower_bound = figure;
  }
  return found;
}

}  // namespace

bool keeps_time_limits(const PlacementProblem& problem, const Placement& placement,
                       const std::vector<TimeLimit>& limits) {
  return std::all_of(limits.begin(), limits.end(), [&](const TimeLimit& limit) {
    const double seconds = device_seconds(problem, placement, limit.device);
    return seconds <= limit.seconds && seconds <= limit.share * placement.latency;
  });
}

bool says_none_fits(const Error& error) {
  return error.code() == ErrorCode::out_of_memory || error.code() == ErrorCode::resource_exhausted;
}

bool can_rank(const PlanningRequest& request) {
  return request.replicas == 1 &&
         (request.objective == Objective::latency || request.objective == Objective::throughput);
}

std::vector<PlannedPlacement> find_placements(const PlacementProblem& problem,
                                              const PlanningRequest& request) {
  expect_sound(problem);
  if (request.top == 0 || request.replicas == 0 || !(request.deadline > 0) || !(request.period > 0)) {
    fail(ErrorCode::invalid_argument,
         "{} plans of up to {} replicas within {} s, every {} s: expected more than none of each",
         request.top, request.replicas, request.deadline, request.period);
  }
  if (request.replicas > problem.devices.size()) {
    fail(ErrorCode::invalid_argument, "{} replicas for {} machines, expected at most as many",
         request.replicas, problem.devices.size());
  }
  if (request.top > 1 || !request.time_limits.empty()) return find_ranked(problem, request);
  return {find_best_of_all(problem, request)};
}

std::optional<Placement> find_placement(const PlacementProblem& problem, const PlanningRequest& request) {
  try {
    return find_best_of_all(problem, request).placement;
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
    return std::nullopt;
  }
}

std::vector<Placement> find_pareto_front(const PlacementProblem& problem, const PlanningRequest& request) {
  std::vector<Placement> front = {find_fastest_way(problem, request).placement};
  Placement highest = find_highest_rate_within(problem, request).placement;
  const double shortest = highest.period;
  if (!is_exact_for_rates(problem)) {
    if (front.back().period > shortest) front.push_back(std::move(highest));
    return front;
  }
  const Deadline deadline(request.branch_time);
  while (front.back().period * (1 - kParetoStep) > shortest) {
    PlanningRequest between = request;
    between.branch_time = std::min(kBranchTimeOfPoint, deadline.left());
    auto next = find_fastest_known_within(problem, front.back().period * (1 - kParetoStep), between);
    if (!next) break;
    front.push_back(std::move(*next));
  }
  if (front.back().period > shortest * (1 + 1e-9)) {
    auto last = find_fastest_known_within(problem, shortest * (1 + 1e-9), request);
    front.push_back(last ? std::move(*last) : std::move(highest));
  }
  return front;
}

}  // namespace lamina
