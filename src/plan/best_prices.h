// Prices of memory that make the bound of placements high.
#pragma once

#include "base/clock.h"
#include "plan/bundle_method.h"
#include "plan/stage_bound.h"

#include <cstddef>

namespace lamina {

struct PriceLimits {
  int rounds = 1;
  // Ends when the planes promise no more than this share of what is missing to `known`.
  double share = 0.003;
  // The latency of a placement within the budgets, infinite while there is none.
  double known = 0;
  std::size_t most_of_part = 30'000;  // stages that become part of those priced together, at once
};

// Raises bound.lower_bound() from what the bundle's prices give, and leaves `bound` solved with the best
// prices found. Planes of the bundle that stand for chains which the bound's graph no longer has have to be
// left out before. An infinite bound: no stages that each fit their machine make up the whole.
void raise_prices(StageBound& bound, BundleMethod& bundle, const PriceLimits& limits,
                  const Deadline& deadline);

// The same where there are many stages, most of which no good placement has: prices of those that promise
// most are raised, then all stages are looked at with them, and so on until the others change nothing
// (partial pricing). The graph of `bound` is one of every stage; the bundle ends without planes.
void raise_prices_partly(StageBound& bound, BundleMethod& bundle, const PriceLimits& limits,
                         const Deadline& deadline);

}  // namespace lamina
