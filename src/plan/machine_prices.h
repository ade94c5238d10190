// Prices of machines that prove how quick pipelines can be at most.
#pragma once

#include "base/clock.h"
#include "plan/stage_sums.h"

#include <vector>

namespace lamina {

struct MachinePrices {
  // Seconds: proven that no pipeline of one machine a stage has a period as short. Infinite: there is none.
  double impossible_period = 0;
  std::vector<double> price;  // by device: those of the proof, for a cheapest chain (cheapest_chain.h)
};

// Halves the periods that are in question until what is proven is close to what can be proven this way, or
// until the deadline. The prices that make the cheapest chain dear are found by a bundle method.
MachinePrices find_machine_prices(const StageSums& sums, const Deadline& deadline);

}  // namespace lamina
