// The placement that serves soonest once devices are lost.
//
// Stages stay where they are loaded. Only those that no device has any more are made ready anew, each on one
// device or in two parts on two, so that the pipeline answers again long before the best placement for the
// devices that are left is loaded: that can follow while this one serves.
#pragma once

#include "plan/cost_model.h"

#include <functional>
#include <optional>

namespace lamina {

// `ran` is what served; devices that are lost can run nothing (forbid_device()). Returns the feasible and
// accepted placement that is loaded soonest; nothing where the first few hundred are not. Of several lost
// stages one after another goes where it is ready first beside those before it.
std::optional<Placement> find_stopgap(const PlacementProblem& problem, const Placement& ran,
                                      const std::function<bool(const Placement&)>& accepts);

}  // namespace lamina
