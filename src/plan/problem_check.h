// What every planner asks of its figures.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <optional>

namespace lamina {

// Error(invalid_argument) naming the device and figure for what is no figure (negative, NaN, missing);
// Error(out_of_memory) naming a piece that can run on no device.
void expect_sound(const PlacementProblem& problem);

// The first piece that can run on no device, nor as branches; nothing where there is none.
std::optional<std::size_t> find_stuck_piece(const PlacementProblem& problem);

// For a problem without a placement: Error(out_of_memory) that says what the model needs and what the devices
// have, or that no memory would help, since links are missing.
[[noreturn]] void fail_for_memory(const PlacementProblem& problem);

}  // namespace lamina
