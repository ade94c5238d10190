// Makes a placement faster by solving parts of it anew, with the rest as it is.
#pragma once

#include "base/clock.h"
#include "plan/stage_costs.h"

#include <cstddef>
#include <vector>

namespace lamina {

// Large neighbourhood search (P. Shaw, "Using Constraint Programming and Local Search Methods to Solve
// Vehicle Routing Problems", CP 1998): some stages are freed, the others kept, and the freed pieces placed
// anew by prices and a narrow search. Freed are stages in a row, two such rows, or neighbours here and there,
// in an order that is always the same. `prices`: seconds a byte, by kind, to begin with. Ends after `rounds`
// or at the deadline; the answer is `placement` or faster.
Placement improve_by_parts(const PlacementProblem& problem, Placement placement,
                           const std::vector<double>& prices, std::size_t rounds, const Deadline& deadline);

}  // namespace lamina
