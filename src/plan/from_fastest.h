// Placements in the order of their latency.
#pragma once

#include "base/clock.h"
#include "plan/least_latency.h"

#include <functional>

namespace lamina {

// Calls `visit` with placements of one device a stage from `fastest`, the proven best, on, until it returns
// false, none is left, or time runs out. Of placements that differ in their wire formats alone only the
// fastest counts. Returns whether all were visited.
bool visit_from_fastest(const PlacementProblem& problem, const PlannedPlacement& fastest,
                        const Deadline& deadline, const std::function<bool(const Placement&)>& visit);

}  // namespace lamina
