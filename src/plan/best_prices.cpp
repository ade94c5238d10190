#include "plan/best_prices.h"

#include <algorithm>
#include <cmath>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kHopedForGap = 0.03;  // as far above the bound the best is taken to lie while none is known
constexpr double kNothing = 1e-6;      // a share of the bound
// Where nothing fits the memory, prices rise without end: so many times the first bound is enough.
constexpr double kEndless = 1e6;
constexpr double kMicrosecond = 1e-6;

// The cheapest chain's latency, and what it takes of each measure of memory beyond what there is.
TangentPlane plane_of(const StageBound& bound) {
  TangentPlane plane;
  plane.slope = bound.prices().nothing_taken();
  double priced = 0;
  for (const StageGraph::Stage& stage : bound.cheapest(&plane.stages)) {
    bound.prices().take(plane.slope, stage.kind, stage.bytes);
    priced += bound.prices().of(stage.kind, stage.bytes);
  }
  plane.offset = bound.lower_bound() + bound.prices().of_everything() - priced;
  return plane;
}

}  // namespace

void raise_prices(StageBound& bound, BundleMethod& bundle, const PriceLimits& limits,
                  const Deadline& deadline) {
  bound.solve(bundle.prices());
  if (!std::isfinite(bound.lower_bound())) return;
  bundle.begin(bound.lower_bound(), plane_of(bound));
  const double endless = kEndless * std::max(bundle.value(), kMicrosecond);
  for (int round = 0; round < limits.rounds && !deadline.passed(); ++round) {
    if (bundle.value() >= std::min(limits.known, endless)) break;
    std::vector<double> prices = bundle.next();
    const double missing = std::min(limits.known, bundle.value() * (1 + kHopedForGap)) - bundle.value();
    if (bundle.promised() <= std::max(limits.share * missing, kNothing * bundle.value())) break;
    bound.solve(prices);
    bundle.add(prices, bound.lower_bound(), plane_of(bound));
  }
  if (bound.prices().prices() != bundle.prices()) bound.solve(bundle.prices());
}

}  // namespace lamina
