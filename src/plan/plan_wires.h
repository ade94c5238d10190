// The wire formats of a plan, for whoever prices it again.
#pragma once

#include "plan/plan.h"

namespace lamina {

// Adds to `problem` the formats that the plan sends in, each at the plan's own cuts, and f32 at all cuts;
// nothing where the plan has f32 alone. `benchmark` is that of the plan's batch; where the problem is of more
// or fewer rows, the bytes are in proportion. Throws as placement_of() does.
void add_wires(PlacementProblem& problem, const Benchmark& benchmark, const Plan& plan);

// As make_problem() of the plan's source, with those formats; `benchmark` is that of the plan's batch.
PlacementProblem make_problem(const Benchmark& benchmark, const Plan& plan);

}  // namespace lamina
