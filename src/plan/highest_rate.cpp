#include "plan/highest_rate.h"

#include "base/error.h"
#include "plan/many_machines.h"
#include "plan/pipeline_search.h"
#include "plan/problem_check.h"
#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>

namespace lamina {

namespace {

// Periods are equal that differ by less.
constexpr double kCloseEnough = 1e-9;

void expect_small_enough(const PlacementProblem& problem) {
  expect_sound(problem);
  if (PipelineSearch::is_small_enough(problem)) return;
  fail(ErrorCode::unsupported,
       "{} pieces on {} machines are too many for the least latency at a rate: up to 16 different machines, "
       "or "
       "more that are equal in all figures; 'avoid={{…}}' leaves machines out",
       problem.pieces.size(), problem.devices.size());
}

[[noreturn]] void fail_for_limits(const PlacementProblem& problem, const PipelineSearch& search,
                                  const RateOptions& options, const Deadline& deadline) {
  if (!search.find_any({.devices = options.devices}, deadline)) fail_for_memory(problem);
  fail(ErrorCode::resource_exhausted, "no placement answers within {} ms", options.latency * 1e3);
}

}  // namespace

bool is_exact_for_rates(const PlacementProblem& problem) { return PipelineSearch::is_small_enough(problem); }

PlannedPlacement find_highest_rate(const PlacementProblem& problem, const RateOptions& options) {
  expect_sound(problem);
  if (!is_exact_for_rates(problem)) return find_rate_of_many(problem, options);
  const PipelineSearch search(problem, options.replicas);
  const Deadline deadline(options.time_limit);
  const auto find = [&](double period) {
    const PipelineLimits limits{period, options.latency, options.devices};
    return std::isfinite(options.latency) ? search.find_least_latency(limits, deadline)
                                          : search.find_any(limits, deadline);
  };
  std::optional<Placement> best = find(std::numeric_limits<double>::infinity());
  if (!best) fail_for_limits(problem, search, options, deadline);
  PlannedPlacement planned{std::move(*best), work_bound(problem, search.replicas()), true, 0};
  try {
    // By halves, then by one last step that proves it.
    while (planned.lower_bound < planned.placement.period * (1 - kCloseEnough)) {
      const double gap = 1 - planned.lower_bound / planned.placement.period;
      const double period = gap > 1e-6 ? (planned.lower_bound + planned.placement.period) / 2
                                       : planned.placement.period * (1 - kCloseEnough);
      if (auto found = find(period)) {
        planned.placement = std::move(*found);
      } else {
        planned.lower_bound = period;
      }
    }
    planned.lower_bound = planned.placement.period;
    if (!std::isfinite(options.latency)) {
      planned.placement =
          search
              .find_least_latency(
                  {planned.placement.period * (1 + kCloseEnough), options.latency, options.devices}, deadline)
              .value();
    }
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded) throw;
    planned.proven_best = planned.lower_bound == planned.placement.period;
  }
  return planned;
}

std::optional<Placement> find_least_latency_within(const PlacementProblem& problem, double period,
                                                   const RateOptions& options) {
  expect_small_enough(problem);
  const PipelineSearch search(problem, options.replicas);
  return search.find_least_latency({period, options.latency, options.devices}, Deadline(options.time_limit));
}

}  // namespace lamina
