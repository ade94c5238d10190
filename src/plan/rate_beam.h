// Pipelines of high rate for many different machines, by a beam search that prices of machines guide.
#pragma once

#include "base/clock.h"
#include "plan/machine_prices.h"
#include "plan/pipeline_limits.h"

#include <cstddef>
#include <optional>

namespace lamina {

constexpr std::size_t kMostBeamDevices = 256;

// A pipeline of stages without replicas that keeps the limits, each device in one stage at most; nothing
// where the beam meets none, which proves nothing. `prices` are those of limits.period. At most
// kMostBeamDevices.
std::optional<Placement> find_by_beam(const PlacementProblem& problem, const MachinePrices& prices,
                                      const PipelineLimits& limits, const Deadline& deadline);

}  // namespace lamina
