// Pipelines of high rate for many different machines, by a beam search that prices of machines guide.
#pragma once

#include "base/clock.h"
#include "plan/cheapest_chain.h"
#include "plan/pipeline_limits.h"
#include "plan/stage_sums.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// A pipeline of stages without replicas that keeps the limits, each device in one stage at most; nothing
// where the beam meets none, which proves nothing. From every cut `width` pipelines of the pieces before it
// go on. `chain` is that of limits.period, solved for the prices. At most kMostChainDevices.
std::optional<Placement> find_by_beam(const StageSums& sums, const CheapestChain& chain,
                                      const std::vector<double>& prices, const PipelineLimits& limits,
                                      std::size_t width, const Deadline& deadline);

}  // namespace lamina
