#include "plan/many_machines.h"

#include "base/error.h"
#include "plan/cheapest_chain.h"
#include "plan/distinct_chains.h"
#include "plan/machine_prices.h"
#include "plan/problem_check.h"
#include "plan/rate_beam.h"
#include "plan/stage_sums.h"
#include "plan/useful_wires.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr double kCloseEnough = 1e-3;
constexpr int kPartForBound = 2;     // of the time
constexpr double kFirstStep = 0.03;  // of the bound
constexpr double kHalf = 0.5;
constexpr double kProofStep = 2e-3;  // of the period found
constexpr double kALittle = 0.125;
constexpr std::size_t kFirstWidth = 24;  // of the beam
constexpr std::size_t kMostWidth = 3072;
constexpr std::size_t kMostLabels = 1'000'000;  // of a beam, some 100 bytes each
// Longer periods than so many times the least that might be possible limit nothing.
constexpr double kBeyond = 1e6;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The same stages with each hop in the format that is there soonest, of those that keep the period.
Placement quicken(const PlacementProblem& problem, Placement placement) {
  const std::vector<CutSet> useful = useful_wires(problem);
  const std::size_t hops = placement.stages.size() + 1;
  for (std::size_t hop = 0; hop < hops && useful.size() > 1; ++hop) {
    const bool back = hop + 1 == hops;
    const std::size_t cut = back ? problem.pieces.size() : placement.stages[hop].first_piece;
    for (std::size_t wire = 0; wire < useful.size(); ++wire) {
      if (!useful[wire].has(cut)) continue;
      std::vector<PlacedStage> stages = placement.stages;
      if (!back) stages[hop].wire = wire;
      Placement other = evaluate_stages(problem, std::move(stages), back ? wire : placement.return_wire);
      if (other.latency < placement.latency && other.period <= placement.period) placement = std::move(other);
    }
  }
  return placement;
}

// By a beam that is doubled as long as time is left. What a narrow one has found, a wider one shortens a
// little.
std::optional<Placement> search(const StageSums& sums, const MachinePrices& prices,
                                const RateOptions& options, const Deadline& deadline) {
  const double bound = prices.impossible_period;
  const std::size_t most_width =
      std::clamp(kMostLabels / sums.problem().pieces.size(), kFirstWidth, kMostWidth);
  std::optional<Placement> best;
  const auto is_close = [&](double missed) {
    return best && best->period - missed <= kCloseEnough * best->period;
  };
  for (std::size_t width = kFirstWidth; width <= most_width && !is_close(bound); width *= 2) {
    double missed = bound;  // nothing was found within it
    double step = kFirstStep * bound;
    while (std::isfinite(missed) && !is_close(missed)) {
      if (deadline.passed()) return best;
      double period = missed + step < kBeyond * bound ? missed + step : kUnlimited;
      if (best) period = best->period - (best->period - missed) * (missed > bound ? kHalf : kALittle);
      CheapestChain chain(sums, period);
      chain.solve(prices.price);
      auto found = find_by_beam(sums, chain, prices.price, {period, options.latency, options.devices}, width,
                                deadline);
      if (found) {
        best = std::move(found);
      } else {
        missed = period;
        step *= 2;
      }
    }
  }
  return best;
}

// A longer period that is proven impossible, up to a known one, by all chains that use no machine twice.
double raise_bound(const StageSums& sums, const MachinePrices& prices, double known,
                   const Deadline& deadline) {
  double bound = prices.impossible_period;
  double step = kProofStep * known;
  double missed = known;  // nothing is proven of it
  while (missed - bound > kCloseEnough * missed && !deadline.passed()) {
    const double period = std::min(bound + step, (bound + missed) / 2);
    CheapestChain chain(sums, period);
    chain.solve(prices.price);
    if (proves_no_distinct_chain(chain, prices.price, deadline)) {
      bound = period;
      step *= 2;
    } else {
      missed = period;
    }
  }
  return bound;
}

}  // namespace

PlannedPlacement find_rate_of_many(const PlacementProblem& problem, const RateOptions& options) {
  if (options.replicas > 1 || problem.devices.size() > kMostChainDevices) {
    fail(ErrorCode::unsupported,
         "a rate on {} different machines with up to {} replicas of a stage, expected at most 16 different "
         "machines for replicas and {} without; 'avoid={{…}}' leaves machines out",
         problem.devices.size(), options.replicas, kMostChainDevices);
  }
  expect_sound(problem);
  const Deadline deadline(options.time_limit);
  const StageSums sums(problem);
  const MachinePrices prices = find_machine_prices(sums, Deadline(options.time_limit / kPartForBound));
  const double bound = prices.impossible_period;
  if (!std::isfinite(bound)) fail_for_memory(problem);
  std::optional<Placement> best = search(sums, prices, options, deadline);
  if (!best) {
    fail(ErrorCode::resource_exhausted,
         "no placement of one stage a machine that keeps the limits was found on {} machines",
         problem.devices.size());
  }
  const double raised = raise_bound(sums, prices, best->period, deadline);
  PlannedPlacement planned{quicken(problem, std::move(*best)), raised, false, 0};
  planned.proven_best = planned.lower_bound >= planned.placement.period * (1 - 1e-9);
  return planned;
}

}  // namespace lamina
