#include "plan/fewest_devices.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/completion_bound.h"
#include "plan/highest_rate.h"
#include "plan/replica_groups.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

namespace {

struct Attempt {
  std::optional<Placement> placement;
  bool proven = true;  // that there is none, where there is none
};

// On the devices marked alone.
Attempt try_devices(PlacementProblem problem, const std::vector<bool>& taken, double latency,
                    const Deadline& deadline) {
  for (std::size_t device = 0; device < taken.size(); ++device) {
    if (!taken[device]) forbid_device(problem, device);
  }
  if (!(CompletionBound(problem).from_start() <= latency)) return {};
  try {
    const PlannedPlacement planned = find_least_latency(problem, planner_options(deadline.left()));
    if (planned.placement.latency <= latency) return {planned.placement, true};
    return {std::nullopt, planned.lower_bound > latency};
  } catch (const Error& error) {
    if (error.code() == ErrorCode::out_of_memory) return {};
    if (error.code() == ErrorCode::resource_exhausted) return {std::nullopt, false};
    throw;
  }
}

// The fastest on any `count` devices.
Attempt try_count(const PlacementProblem& problem, const Demands& demands, std::size_t count,
                  const Deadline& deadline) {
  if (std::isfinite(demands.period)) {
    const RateOptions options{demands.replicas, demands.deadline, count, deadline.left()};
    try {
      return {find_least_latency_within(problem, demands.period, options), true};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::deadline_exceeded || deadline.passed()) throw;
      return {std::nullopt, false};
    }
  }
  const DeviceKinds kinds = find_kinds(problem);
  Attempt best;
  for_each_group(kinds, count, [&](const std::vector<std::size_t>& counts) {
    if (std::accumulate(counts.begin(), counts.end(), std::size_t{0}) != count) return;
    std::vector<bool> taken(problem.devices.size(), false);
    for (std::size_t kind = 0; kind < counts.size(); ++kind) {
      for (std::size_t i = 0; i < counts[kind]; ++i) taken[kinds.members[kind][i]] = true;
    }
    if (deadline.passed())
      fail(ErrorCode::deadline_exceeded, "no proof within the time limit of the planner");
    const Attempt attempt = try_devices(problem, taken, demands.deadline, deadline);
    best.proven = best.proven && attempt.proven;
    const bool faster =
        attempt.placement && (!best.placement || attempt.placement->latency < best.placement->latency);
    if (faster) best.placement = attempt.placement;
  });
  return best;
}

}  // namespace

PlannedPlacement find_fewest_devices(const PlacementProblem& problem, const Demands& demands) {
  // Where all together do not keep them, no fewer do.
  PlannedPlacement best = find_fastest(problem, demands);
  const Deadline deadline(demands.time_limit);
  best.lower_bound = 1;
  best.proven_best = true;
  try {
    for (std::size_t count = 1; count <= problem.devices.size(); ++count) {
      const Attempt attempt = try_count(problem, demands, count, deadline);
      if (attempt.placement) {
        best.placement = *attempt.placement;
        break;
      }
      best.proven_best = best.proven_best && attempt.proven;
      if (best.proven_best) best.lower_bound = static_cast<double>(count + 1);
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded) throw;
    best.proven_best = false;
  }
  return best;
}

}  // namespace lamina
