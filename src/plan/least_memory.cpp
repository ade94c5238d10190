#include "plan/least_memory.h"

#include "base/error.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

namespace {

std::uint64_t most_memory(const PlacementProblem& problem, const Placement& placement) {
  const std::vector<std::uint64_t> memory = memory_of_devices(problem, placement);
  return *std::max_element(memory.begin(), memory.end());
}

struct Attempt {
  std::optional<PlannedPlacement> planned;
  bool proven = true;  // that there is none, where there is none
};

Attempt try_budget(PlacementProblem problem, std::uint64_t budget, const Demands& demands,
                   const Deadline& deadline) {
  for (PlanDevice& device : problem.devices) device.memory_budget = std::min(device.memory_budget, budget);
  try {
    // Whether the fastest there is comes in time is known, unless the search for it gave up.
    const PlannedPlacement fastest = find_least_latency(problem, planner_options(deadline.left()));
    if (fastest.lower_bound > demands.deadline) return {};
    try {
      return {keep_demands(problem, fastest, demands), true};
    } catch (const Error& error) {
      if (error.code() != ErrorCode::resource_exhausted) throw;
      return {std::nullopt, fastest.proven_best};
    }
  } catch (const Error& error) {
    if (error.code() == ErrorCode::out_of_memory) return {};
    if (error.code() == ErrorCode::resource_exhausted || error.code() == ErrorCode::deadline_exceeded)
      return {std::nullopt, false};
    throw;
  }
}

}  // namespace

PlannedPlacement find_least_memory(const PlacementProblem& problem, const Demands& demands) {
  const Deadline deadline(demands.time_limit);
  PlannedPlacement best = find_fastest(problem, demands);
  best.proven_best = true;
  std::uint64_t high = most_memory(problem, best.placement);  // enough
  std::uint64_t low = 0;                                      // too little, as far as is known
  std::uint64_t proven = 0;                                   // no placement needs less
  while (low < high && !deadline.passed()) {
    const std::uint64_t middle = low + (high - low) / 2;
    Attempt attempt = try_budget(problem, middle, demands, deadline);
    if (attempt.planned) {
      high = most_memory(problem, attempt.planned->placement);
      best.placement = std::move(attempt.planned->placement);
    } else {
      low = middle + 1;
      if (attempt.proven && proven <= middle) proven = low;
    }
  }
  best.lower_bound = static_cast<double>(proven);
  best.proven_best = proven == high;
  return best;
}

}  // namespace lamina
