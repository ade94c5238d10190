// Prices for the memory of machines, which turn a limit into a cost.
//
// For any prices ≥ 0, the least of (time + price of the memory taken) over all placements, less the price of
// all budgets, is no more than the time of the best placement within the budgets: Lagrangian relaxation (M.
// L. Fisher, "The Lagrangian Relaxation Method for Solving Integer Programming Problems", Management Science
// 27(1), 1981). The prices found here, by subgradient steps, make that bound high.
#pragma once

#include "base/clock.h"
#include "plan/stage_bound.h"

#include <vector>

namespace lamina {

// Raises bound.lower_bound() from what `start` (seconds a byte, by kind) gives; leaves `bound` solved with
// the best prices found, in `rounds` programs at most. `known` is the latency of a placement within the
// budgets, infinite while there is none. An infinite bound: no stages that each fit their machine make up the
// whole.
void raise_memory_prices(StageBound& bound, const StageCosts& costs, const std::vector<double>& start,
                         double known, int rounds, const Deadline& deadline);

}  // namespace lamina
