// The placement of least latency where branches may run on several devices at once.
#pragma once

#include "base/clock.h"
#include "plan/least_latency.h"

#include <optional>

namespace lamina {

struct BranchPlannerOptions {
  std::size_t max_labels = 50'000;  // partial placements looked at, at most
  std::size_t max_options = 4096;   // ways to share out one block's branches that are looked at
  Clock::duration time_limit = std::chrono::seconds(10);
};

// Each block runs as pieces, or as branches shared out among devices (plan/branch_cost.h). First, by dynamic
// programming, the fastest placement whatever memory it takes; where it fits nothing is faster. Else
// best-first search over partial placements with those times as bounds, where one is dropped when another at
// the same place is no slower and uses no more memory anywhere: exact unless it reaches a limit, then the
// best found with a bound.
//
// `chain` is the best placement without branches, if there is one; the answer is never slower. Nothing where
// no placement was found and there is no chain. Throws Error(invalid_argument) for figures that are no
// figures.
std::optional<PlannedPlacement> find_least_latency_with_branches(const PlacementProblem& problem,
                                                                 std::optional<PlannedPlacement> chain,
                                                                 const BranchPlannerOptions& options = {});

}  // namespace lamina
