// Whether there is a chain of stages that uses no machine twice.
#pragma once

#include "base/clock.h"
#include "plan/cheapest_chain.h"

#include <cstddef>
#include <vector>

namespace lamina {

// Whether it is proven that every chain takes some device twice, so that there is no pipeline of its period.
// Goes through all beginnings of chains, from cut to cut, whose price and rest are within that of all devices
// together; false once two millions wait (some 100 MB), or past the deadline. `chain` is solved for the
// prices. At most kMostChainDevices.
bool proves_no_distinct_chain(const CheapestChain& chain, const std::vector<double>& prices,
                              const Deadline& deadline);

}  // namespace lamina
