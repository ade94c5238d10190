// The placement on the fewest machines.
#pragma once

#include "plan/demands.h"

namespace lamina {

// Sets of machines are tried from the smallest on, equal machines counted. In the answer `lower_bound` is a
// number of machines. Past the time limit the answer is a placement that keeps the demands, with the bound
// reached.
PlannedPlacement find_fewest_devices(const PlacementProblem& problem, const Demands& demands);

}  // namespace lamina
