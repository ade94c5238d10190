#include "plan/branch_rates.h"

#include "base/error.h"
#include "plan/branch_pipelines.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMostLabels = 300'000;
// More devices are not looked at: the sets of those taken would be too many.
constexpr std::size_t kMostDevices = 48;
// Periods and latencies that differ by less are equal.
constexpr double kCloseEnough = 1e-9;

BranchPipelineResult find_better(const PlacementProblem& problem, Objective goal,
                                 const PipelineLimits& limits, const RateOptions& options) {
  if (problem.devices.size() > kMostDevices) return {std::nullopt, false};
  return find_branch_pipeline(problem, goal, limits, kMostLabels, Deadline(options.branch_time));
}

// The best chain, or the Error that says that there is none.
struct Chain {
  std::optional<PlannedPlacement> placement;
  std::optional<Error> none;
};

template <typename Find>
Chain find_chain(const Find& find) {
  try {
    return {find(), std::nullopt};
  } catch (const Error& error) {
    if (error.code() != ErrorCode::out_of_memory && error.code() != ErrorCode::resource_exhausted) throw;
    return {std::nullopt, error};
  }
}

}  // namespace

PlannedPlacement find_highest_rate_with_branches(const PlacementProblem& problem,
                                                 const RateOptions& options) {
  Chain chain = find_chain([&] { return std::optional(find_highest_rate(problem, options)); });
  PipelineLimits limits{.latency = options.latency, .devices = options.devices};
  if (chain.placement) limits.period = chain.placement->placement.period * (1 - kCloseEnough);
  BranchPipelineResult forked = find_better(problem, Objective::throughput, limits, options);
  if (!forked.placement && !chain.placement) throw Error(*chain.none);
  PlannedPlacement best;
  if (chain.placement) best = std::move(*chain.placement);
  if (!chain.placement) best.lower_bound = limits.period;
  if (forked.placement) best.placement = std::move(*forked.placement);
  const double period = best.placement.period;
  const double bound = forked.complete ? period : branch_work_bound(problem);
  best.lower_bound = std::min({best.lower_bound, bound, period});
  best.proven_best = best.lower_bound >= period * (1 - kCloseEnough);
  if (!forked.complete || std::isfinite(options.latency)) return best;
  const PipelineLimits at_that_rate{period * (1 + kCloseEnough), best.placement.latency * (1 - kCloseEnough),
                                    options.devices};
  if (auto faster = find_better(problem, Objective::latency, at_that_rate, options).placement)
    best.placement = std::move(*faster);
  return best;
}

std::optional<PlannedPlacement> find_least_latency_within_with_branches(const PlacementProblem& problem,
                                                                        double period,
                                                                        const RateOptions& options) {
  std::optional<Placement> best = find_least_latency_within(problem, period, options);
  const PipelineLimits limits{period, best ? best->latency * (1 - kCloseEnough) : options.latency,
                              options.devices};
  BranchPipelineResult forked = find_better(problem, Objective::latency, limits, options);
  if (forked.placement) best = std::move(forked.placement);
  if (!best) return std::nullopt;
  const double latency = best->latency;
  return PlannedPlacement{std::move(*best), forked.complete ? latency : 0, forked.complete, 0};
}

}  // namespace lamina
