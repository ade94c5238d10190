#include "plan/fastest_at_rate.h"

#include "plan/from_fastest.h"

#include <algorithm>

namespace lamina {

FastestAtRate find_fastest_at_rate(const PlacementProblem& problem, const PlannedPlacement& fastest,
                                   double period, double enough, const Deadline& deadline) {
  FastestAtRate found{std::nullopt, fastest.lower_bound};
  double bound = fastest.lower_bound;
  const bool all = visit_from_fastest(problem, fastest, deadline, [&](const Placement& placement) {
    bound = std::min(placement.latency, enough);
    if (placement.latency >= enough) return false;
    if (placement.period > period) return true;
    found.placement = placement;
    return false;
  });
  if (all) bound = enough;
  if (problem.wires.empty()) found.lower_bound = std::max(bound, fastest.lower_bound);
  return found;
}

}  // namespace lamina
