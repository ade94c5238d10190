// What all pieces need at least, shared out without loss.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>

namespace lamina {

// No placement has a shorter period, seconds: all devices together need so long for a request, and one of
// them, or `replicas` that share it, has the longest piece to do.
double work_bound(const PlacementProblem& problem, std::size_t replicas);

}  // namespace lamina
