// From what was measured to what is planned with.
#pragma once

#include "plan/cost_model.h"
#include "profile/benchmark.h"

#include <string>

namespace lamina {

// Times are medians less the device's waking, times its fusion factor; what failed to run is infinitely slow;
// budgets are the free memory times the benchmark's multiplier. `source` is the name of a device; another
// name is Error(not_found) that lists them.
PlacementProblem make_problem(const Benchmark& benchmark, const std::string& source);

}  // namespace lamina
