// From what was measured to what is planned with.
#pragma once

#include "plan/cost_model.h"
#include "profile/benchmark.h"

#include <cstddef>
#include <cstdint>
#include <string>

namespace lamina {

// Times are medians less the device's waking, times its fusion factor; steady times likewise; what failed to
// run is infinitely slow; budgets are the free memory times the benchmark's multiplier. `source` is the name
// of a device; another name is Error(not_found) that lists them.
PlacementProblem make_problem(const Benchmark& benchmark, const std::string& source);

// The same for `rows` rows, of sizes that need not have been measured: times and bytes of the two measured
// sizes around it in proportion, below the least those of the least.
PlacementProblem make_problem_of_rows(const Benchmark& benchmark, const std::string& source,
                                      std::int64_t rows);

// The seconds a byte that a wire format takes on each device. Error(invalid_argument) where it was not
// measured.
std::vector<WireSeconds> wire_seconds(const Benchmark& benchmark, const std::string& format);

// The device of that name; Error(invalid_argument) that says who names it and lists what there is.
std::size_t find_device(const PlacementProblem& problem, const std::string& name, const std::string& who);

}  // namespace lamina
