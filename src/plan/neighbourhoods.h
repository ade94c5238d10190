// Makes a placement faster by solving parts of it anew, with the rest as it is.
#pragma once

#include "base/clock.h"
#include "plan/stage_costs.h"

#include <cstddef>
#include <vector>

namespace lamina {

// Large neighbourhood search (P. Shaw, "Using Constraint Programming and Local Search Methods to Solve
// Vehicle Routing Problems", CP 1998): some stages are freed, the others kept, and the freed pieces placed
// anew by prices and a narrow search. Freed are stages in a row, shorter such rows, or all stages of some
// machines, in an order that is always the same. At first a somewhat slower placement may take the place of
// the one known (threshold accepting: G. Dueck, T. Scheuer, Journal of Computational Physics 90, 1990).
// `prices`: of memory (memory_prices.h), to begin with. Ends after `rounds` or at the deadline; the answer is
// `placement` or faster.
Placement improve_by_parts(const PlacementProblem& problem, Placement placement,
                           const std::vector<double>& prices, std::size_t rounds, const Deadline& deadline);

}  // namespace lamina
