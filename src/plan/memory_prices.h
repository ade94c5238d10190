// Prices for the memory of devices, which turn a limit into a cost.
//
// For any prices ≥ 0, the least of (time + price of the memory taken) over all placements, less the price of
// all budgets, is no more than the time of the best placement within the budgets: Lagrangian relaxation (M.
// L. Fisher, "The Lagrangian Relaxation Method for Solving Integer Programming Problems", Management Science
// 27(1), 1981). The prices found here, by subgradient steps, make that bound high.
#pragma once

#include "plan/cost_model.h"

#include <optional>
#include <vector>

namespace lamina {

struct MemoryPrices {
  std::vector<double> seconds_per_byte;  // by device
  double lower_bound = 0;                // seconds: no placement within the budgets is faster
  std::optional<Placement> feasible;     // the fastest within the budgets that was met on the way
};

// `rounds` steps at most, each a dynamic program over all pieces and devices.
MemoryPrices find_memory_prices(const PlacementProblem& problem, int rounds);

}  // namespace lamina
