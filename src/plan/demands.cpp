#include "plan/demands.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/branch_rates.h"
#include "plan/fastest_at_rate.h"

#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <utility>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int kPartOfTime = 4;

}  // namespace

RateOptions rate_options(const Demands& demands) {
  RateOptions options;
  options.replicas = demands.replicas;
  options.latency = demands.deadline;
  options.time_limit = demands.time_limit;
  options.branch_time = demands.branch_time;
  return options;
}

PlannedPlacement find_fastest(const PlacementProblem& problem, const Demands& demands) {
  return keep_demands(problem, find_least_latency(problem, planner_options(demands.time_limit)), demands);
}

PlannedPlacement keep_demands(const PlacementProblem& problem, PlannedPlacement fastest,
                              const Demands& demands) {
  if (fastest.placement.latency > demands.deadline) {
    fail(ErrorCode::resource_exhausted, "no placement answers within {}: the fastest {} takes {}",
         format_seconds(demands.deadline), fastest.proven_best ? "possible" : "found",
         format_seconds(fastest.placement.latency));
  }
  if (fastest.placement.period <= demands.period) return fastest;
  std::optional<PlannedPlacement> within;
  if (demands.branches) {
    within = find_least_latency_within_with_branches(problem, demands.period, rate_options(demands));
  } else if (auto chain = find_least_latency_within(problem, demands.period, rate_options(demands))) {
    const double latency = chain->latency;
    within = PlannedPlacement{std::move(*chain), latency, true, 0};
  }
  // These have one stage a machine. One that comes to a machine again may be faster.
  const double enough = within ? within->placement.latency : std::nextafter(demands.deadline, kInfinity);
  FastestAtRate any = find_fastest_at_rate(problem, fastest, demands.period, enough,
                                           Deadline(demands.time_limit / kPartOfTime));
  if (any.placement) within = PlannedPlacement{std::move(*any.placement), 0, true, 0};
  if (!within) {
    fail(ErrorCode::resource_exhausted, "no placement of one stage a machine carries {:.4g} requests/s{}",
         1 / demands.period,
         std::isfinite(demands.deadline) ? " and answers within " + format_seconds(demands.deadline) : "");
  }
  // Of plans with branches, or with replicas, that come to a machine again nothing is known.
  const bool all_tried = !demands.branches && demands.replicas == 1;
  within->lower_bound =
      all_tried ? std::min(any.lower_bound, within->placement.latency) : fastest.lower_bound;
  within->proven_best = within->lower_bound >= within->placement.latency;
  return std::move(*within);
}

}  // namespace lamina
