// What every planner asks of its figures.
#pragma once

#include "plan/cost_model.h"

namespace lamina {

// Error(invalid_argument) naming the device and figure for what is no figure (negative, NaN, missing);
// Error(out_of_memory) naming a piece that can run on no device.
void expect_sound(const PlacementProblem& problem);

// Error(out_of_memory) that says what the model needs and what the devices have.
[[noreturn]] void fail_for_memory(const PlacementProblem& problem);

}  // namespace lamina
