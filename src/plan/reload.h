// What a change from one placement to another has to load.
#pragma once

#include "plan/cost_model.h"

namespace lamina {

// What machines have of placements before: their stages, ready to run, and the weights of those.
struct Loaded {
  Placement placement;
  bool ready = true;  // false: the stages were made ready for another batch size; only weights are there
};

// As load_seconds(): until `next` can serve, where stages that a machine has are not made ready again, nor
// weights sent that it has.
double reload_seconds(const PlacementProblem& problem, const Placement& next, const Loaded& loaded);

}  // namespace lamina
