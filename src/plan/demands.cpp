#include "plan/demands.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/highest_rate.h"

#include <cmath>
#include <optional>
#include <string>
#include <utility>

namespace lamina {

PlannedPlacement find_fastest(const PlacementProblem& problem, const Demands& demands) {
  PlannedPlacement planned = find_least_latency(problem);
  if (planned.placement.latency > demands.deadline) {
    fail(ErrorCode::resource_exhausted, "no placement answers within {}: the fastest {} takes {}",
         format_seconds(demands.deadline), planned.proven_best ? "possible" : "found",
         format_seconds(planned.placement.latency));
  }
  if (planned.placement.period <= demands.period) return planned;
  RateOptions options;
  options.replicas = demands.replicas;
  options.latency = demands.deadline;
  options.time_limit = demands.time_limit;
  std::optional<Placement> within = find_least_latency_within(problem, demands.period, options);
  if (!within) {
    fail(ErrorCode::resource_exhausted, "no placement of one stage a machine carries {:.4g} requests/s{}",
         1 / demands.period,
         std::isfinite(demands.deadline) ? " and answers within " + format_seconds(demands.deadline) : "");
  }
  const double latency = within->latency;
  return {std::move(*within), latency, true, 0};
}

}  // namespace lamina
