#include "plan/best_prices.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <tuple>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kHopedForGap = 0.03;  // as far above the bound the best is taken to lie while none is known
constexpr double kNothing = 1e-6;      // a share of the bound
// Where nothing fits the memory, prices rise without end: so many times the first bound is enough.
constexpr double kEndless = 1e6;
constexpr double kMicrosecond = 1e-6;
// Of a part of all stages:
constexpr int kMostParts = 20;
constexpr double kFarAbove = 2;        // times the bound: prices of few stages might rise without end
constexpr double kAsGoodAsAll = 0.02;  // of the hoped for gap

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

// Both in the order of a list.
std::vector<StageGraph::Stage> merge(const std::vector<StageGraph::Stage>& a,
                                     const std::vector<StageGraph::Stage>& b) {
  std::vector<StageGraph::Stage> both;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(both),
                 [](const StageGraph::Stage& x, const StageGraph::Stage& y) {
                   return std::tie(x.first, x.kind, x.end) < std::tie(y.first, y.kind, y.end);
                 });
  return both;
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

void raise_prices_partly(StageBound& bound, BundleMethod& bundle, const PriceLimits& limits,
                         const Deadline& deadline) {
  bound.solve(bundle.prices());
  std::vector<StageGraph::Stage> part;
  std::vector<double> best = bundle.prices();
  double highest = bound.lower_bound();
  for (int round = 0; round < kMostParts && !deadline.passed(); ++round) {
    const double value = bound.lower_bound();
    if (highest >= limits.known || !std::isfinite(value)) break;
    PriceLimits part_limits = limits;
    part_limits.known = std::min(limits.known, kFarAbove * highest + kMicrosecond);
    part = merge(part, *bound.most_promising(part_limits.known - value, limits.most_of_part).listed());
    part = merge(part, bound.cheapest());
    const StageGraph graph = StageGraph::of(bound.graph().costs(), part);
    StageBound of_part(graph);
    bundle = BundleMethod(best);
    raise_prices(of_part, bundle, part_limits, deadline);
    bound.solve(bundle.prices());
    if (bound.lower_bound() > highest) {
      highest = bound.lower_bound();
      best = bundle.prices();
    }
    const double gap = std::min(limits.known - highest, std::abs(highest) * kHopedForGap);
    if (of_part.lower_bound() - bound.lower_bound() <= kAsGoodAsAll * gap) break;
  }
  if (bound.prices().prices() != best) bound.solve(best);
  bundle = BundleMethod(std::move(best));
}

}  // namespace lamina
