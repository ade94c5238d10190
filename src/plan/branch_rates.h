// Rates where branches may run on several devices at once.
#pragma once

#include "plan/highest_rate.h"

#include <optional>

namespace lamina {

// find_highest_rate() over pipelines of both kinds: chains, and those that fork (branch_pipelines.h). Of
// equals in period the one of least latency, where none is limited. Where the search for branches gives up,
// the lower bound is by the work that there is.
PlannedPlacement find_highest_rate_with_branches(const PlacementProblem& problem, const RateOptions& options);

// find_least_latency_within() over both kinds. `lower_bound` is of the latency; 0 where the search for
// branches gave up.
std::optional<PlannedPlacement> find_least_latency_within_with_branches(const PlacementProblem& problem,
                                                                        double period,
                                                                        const RateOptions& options);

}  // namespace lamina
