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
constexpr double kCloseOfShares = 1e-7;
constexpr double kCloseWithoutProof = 1e-3;

void expect_small_enough(const PlacementProblem& problem) {
  expect_sound(problem);
  if (PipelineSearch::is_small_enough(problem)) return;
  fail(ErrorCode::unsupported,
       "{} pieces on {} machines are too many for the least latency at a rate: up to 16 different machines, "
       "or "
       "more that are equal in all figures; 'avoid={{…}}' leaves machines out",
       problem.pieces.size(), problem.devices.size());
}

FoundPipeline find_one(const PipelineSearch& search, const RateOptions& options, double period,
                       const Deadline& deadline) {
  const PipelineLimits limits{period, options.latency, options.devices};
  return std::isfinite(options.latency) ? search.find_least_latency(limits, deadline)
                                        : search.find_any(limits, deadline);
}

// At any rate. Replicas make no request quicker, but where some devices have to be used it may take them.
Placement find_first(const PlacementProblem& problem, const PipelineSearch& search,
                     const RateOptions& options, const Deadline& deadline) {
  constexpr double kAnyPeriod = std::numeric_limits<double>::infinity();
  FoundPipeline found = find_one(PipelineSearch(problem, 1), options, kAnyPeriod, deadline);
  if (!found.placement && search.replicas() > 1) found = find_one(search, options, kAnyPeriod, deadline);
  if (found.placement) return std::move(*found.placement);
  if (!search.find_any({.devices = options.devices}, deadline).placement) fail_for_memory(problem);
  fail(ErrorCode::resource_exhausted, "no placement {}answers within {} ms",
       found.proven ? "" : "was found that ", options.latency * 1e3);
}

// Shortens the period by halves, then by one last step that proves it. Where that is not to be had, a close
// answer will do.
void shorten(const PipelineSearch& search, const RateOptions& options, const Deadline& deadline,
             PlannedPlacement& planned) {
  const double close_enough = search.replicas() > 1 ? kCloseOfShares : kCloseEnough;
  double missed = planned.lower_bound;  // nothing was found within it
  while (missed < planned.placement.period * (1 - close_enough)) {
    const double gap = 1 - missed / planned.placement.period;
    if (missed > planned.lower_bound && gap < kCloseWithoutProof) return;
    const double period =
        gap > 1e-6 ? (missed + planned.placement.period) / 2 : planned.placement.period * (1 - close_enough);
    FoundPipeline found = find_one(search, options, period, deadline);
    if (found.placement) {
      planned.placement = std::move(*found.placement);
    } else {
      missed = period;
      if (found.proven) planned.lower_bound = period;
    }
  }
  if (planned.lower_bound >= planned.placement.period * (1 - close_enough))
    planned.lower_bound = planned.placement.period;
}

// Of those of its period the one of least latency.
void quicken(const PipelineSearch& search, const RateOptions& options, const Deadline& deadline,
             Placement& placement) {
  const PipelineLimits limits{placement.period * (1 + kCloseEnough), options.latency, options.devices};
  auto found = search.find_least_latency(limits, deadline).placement;
  // With replicas it may be missed.
  if (found && found->latency < placement.latency) placement = std::move(*found);
}

}  // namespace

bool is_exact_for_rates(const PlacementProblem& problem) { return PipelineSearch::is_small_enough(problem); }

PlannedPlacement find_highest_rate(const PlacementProblem& problem, const RateOptions& options) {
  expect_sound(problem);
  if (!is_exact_for_rates(problem)) return find_rate_of_many(problem, options);
  const PipelineSearch search(problem, options.replicas);
  const Deadline deadline(options.time_limit);
  PlannedPlacement planned{find_first(problem, search, options, deadline),
                           work_bound(problem, search.replicas())};
  try {
    shorten(search, options, deadline, planned);
    planned.proven_best = planned.lower_bound == planned.placement.period;
    if (!std::isfinite(options.latency)) quicken(search, options, deadline, planned.placement);
  } catch (const Error& error) {
    if (error.code() != ErrorCode::deadline_exceeded) throw;
    planned.proven_best = planned.lower_bound == planned.placement.period;
  }
  if (search.replicas() > 1) planned.placement = search.even_out(planned.placement, options.latency);
  if (planned.proven_best) planned.lower_bound = planned.placement.period;
  // Of more replicas than the search has tables for little is known.
  const std::size_t most_replicas = std::min(options.replicas, problem.devices.size());
  if (search.replicas() < most_replicas) {
    planned.lower_bound = std::min(work_bound(problem, most_replicas), planned.lower_bound);
    planned.proven_best = planned.lower_bound == planned.placement.period;
  }
  return planned;
}

std::optional<Placement> find_least_latency_within(const PlacementProblem& problem, double period,
                                                   const RateOptions& options) {
  expect_small_enough(problem);
  const PipelineSearch search(problem, options.replicas);
  FoundPipeline found =
      search.find_least_latency({period, options.latency, options.devices}, Deadline(options.time_limit));
  if (!found.placement && !found.proven) {
    fail(
        ErrorCode::deadline_exceeded,
        "no placement with replicas was found that carries {:.4g} requests/s, nor a proof that there is none",
        1 / period);
  }
  return std::move(found.placement);
}

}  // namespace lamina
