#include "plan/from_fastest.h"

#include "base/error.h"
#include "plan/branch_cost.h"
#include "plan/ranked_placements.h"

#include <optional>
#include <utility>

namespace lamina {

bool visit_from_fastest(const PlacementProblem& problem, const PlannedPlacement& fastest,
                        const Deadline& deadline, const std::function<bool(const Placement&)>& visit) {
  if (!fastest.proven_best || has_branches(fastest.placement.stages)) return false;
  bool proven = true;
  const auto solve = [&](const PlacementProblem& part) -> std::optional<Placement> {
    if (deadline.passed()) {
      proven = false;
      return std::nullopt;
    }
    try {
      PlannedPlacement best = find_least_latency(part, planner_options(deadline.left()));
      proven = proven && best.proven_best;
      return std::move(best.placement);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::resource_exhausted)
        proven = false;
      else if (error.code() != ErrorCode::out_of_memory)
        throw;
      return std::nullopt;
    }
  };
  const auto faster = [](const Placement& a, const Placement& b) { return a.latency < b.latency; };
  RankedPlacements ranking(problem, fastest.placement, solve, faster);
  while (proven) {
    // It was found before the parts that this call may have left out.
    const std::optional<Placement> next = ranking.next();
    if (!next) return true;
    if (!visit(*next)) return false;
  }
  return false;
}

}  // namespace lamina
