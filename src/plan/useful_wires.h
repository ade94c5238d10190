// Which wire formats a hop may be best in.
#pragma once

#include "plan/cost_model.h"
#include "plan/cut_set.h"

#include <vector>

namespace lamina {

// By wire, the cuts that allow it and where no other is as small and as quick to make and to read on every
// device; of wires that are equal the first.
std::vector<CutSet> useful_wires(const PlacementProblem& problem);

}  // namespace lamina
