// The least latency at a rate, where a machine may run several stages.
#pragma once

#include "base/clock.h"
#include "plan/least_latency.h"

#include <optional>

namespace lamina {

struct FastestAtRate {
  std::optional<Placement> placement;  // nothing where none was found
  double lower_bound = 0;              // no placement of one device a stage that keeps the period is faster
};

// Goes through the placements from `fastest`, the least latency that was proven, until one has the period at
// most, none is faster than `enough` (seconds), or time runs out. With wire formats each is tried in those of
// its least latency alone, so that nothing is proven.
FastestAtRate find_fastest_at_rate(const PlacementProblem& problem, const PlannedPlacement& fastest,
                                   double period, double enough, const Deadline& deadline);

}  // namespace lamina
