// The highest rate on many different machines: a good pipeline and a certified bound.
#pragma once

#include "plan/highest_rate.h"

namespace lamina {

// As find_highest_rate(), for more machines than it can prove anything for: the best pipeline met within the
// time limit, of stages without replicas, and a period that no pipeline goes below. Error(unsupported) for
// more than 256 machines or with replicas, Error(resource_exhausted) where no pipeline is met that keeps the
// limits.
PlannedPlacement find_rate_of_many(const PlacementProblem& problem, const RateOptions& options);

}  // namespace lamina
