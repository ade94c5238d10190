#include "plan/many_machines.h"

#include "base/error.h"
#include "plan/machine_prices.h"
#include "plan/problem_check.h"
#include "plan/rate_beam.h"
#include "plan/useful_wires.h"
#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr double kCloseEnough = 1e-3;
constexpr double kFirstStep = 0.03;
// Longer periods than so many times the least that might be possible limit nothing.
constexpr double kBeyond = 1e6;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// A period that is proven impossible, or 0, to within kCloseEnough of one that is not. Infinite where all
// are.
double impossible_period(const PlacementProblem& problem, const Deadline& deadline) {
  const auto is_possible = [&](double period) {
    return find_machine_prices(problem, period, deadline).possible;
  };
  const double work = work_bound(problem, 1);
  double low = work * (1 - kCloseEnough);
  double high = low * 2;
  while (!is_possible(high)) {
    if (!(high < work * kBeyond)) return kUnlimited;
    low = high;
    high *= 2;
  }
  while (high - low > kCloseEnough * high && !deadline.passed()) {
    const double middle = (low + high) / 2;
    (is_possible(middle) ? high : low) = middle;
  }
  return low;
}

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

}  // namespace

PlannedPlacement find_rate_of_many(const PlacementProblem& problem, const RateOptions& options) {
  if (options.replicas > 1 || problem.devices.size() > kMostBeamDevices) {
    fail(ErrorCode::unsupported,
         "a rate on {} different machines with up to {} replicas of a stage, expected at most 16 different "
         "machines for replicas and {} without; 'avoid={{…}}' leaves machines out",
         problem.devices.size(), options.replicas, kMostBeamDevices);
  }
  expect_sound(problem);
  const Deadline deadline(options.time_limit);
  const auto find = [&](double period) -> std::optional<Placement> {
    const MachinePrices prices = find_machine_prices(problem, period, deadline);
    if (!prices.possible) return std::nullopt;
    return find_by_beam(problem, prices, {period, options.latency, options.devices}, deadline);
  };
  const double bound = impossible_period(problem, deadline);
  if (!std::isfinite(bound)) fail_for_memory(problem);
  // In growing steps from the bound to the first that the beam finds, then by halves between.
  double missed = bound;
  double step = kFirstStep * bound;
  std::optional<Placement> best;
  while (!best && std::isfinite(missed) && !deadline.passed()) {
    const double period = missed + step < kBeyond * bound ? missed + step : kUnlimited;
    best = find(period);
    if (!best) missed = period;
    step *= 2;
  }
  if (!best) {
    fail(ErrorCode::resource_exhausted,
         "no placement of one stage a machine that keeps the limits was found on {} machines",
         problem.devices.size());
  }
  while (best->period - missed > kCloseEnough * best->period && !deadline.passed()) {
    const double period = (missed + best->period) / 2;
    if (auto found = find(period)) {
      best = std::move(found);
    } else {
      missed = period;
    }
  }
  PlannedPlacement planned{quicken(problem, std::move(*best)), bound, false, 0};
  planned.proven_best = planned.lower_bound >= planned.placement.period * (1 - 1e-9);
  return planned;
}

}  // namespace lamina
