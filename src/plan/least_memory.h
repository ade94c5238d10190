// The placement whose neediest machine needs least.
#pragma once

#include "plan/demands.h"

namespace lamina {

// By halving the memory that every machine may use. In the answer `lower_bound` is in bytes.
PlannedPlacement find_least_memory(const PlacementProblem& problem, const Demands& demands);

}  // namespace lamina
