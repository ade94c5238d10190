// The placement of least latency, exactly where the search comes to its end.
#pragma once

#include "base/clock.h"
#include "plan/cost_model.h"

#include <chrono>
#include <cstddef>

namespace lamina {

struct PlannerOptions {
  // Partial placements kept at most; it bounds memory and time. Beyond it, and beyond the time, the answer is
  // the best found with a bound.
  std::size_t max_labels = 100'000;
  Clock::duration time_limit = std::chrono::seconds(10);
};

inline PlannerOptions planner_options(Clock::duration time_limit) {
  PlannerOptions options;
  options.time_limit = time_limit;
  return options;
}

struct PlannedPlacement {
  Placement placement;
  // No placement is faster than this. Equal to placement.latency when proven best.
  double lower_bound = 0;
  bool proven_best = true;
  std::size_t labels = 0;  // partial placements looked at
};

// Where memory does not matter this is a shortest path. Elsewhere memory gets prices (memory_prices.h), which
// give a bound and lead a search that follows ever more partial placements (stage_search.h), until none is
// left that could be faster than the best known; hard problems are split (stage_proof.h) and looked at on all
// processors. Equal latencies are decided by the order of devices, so the
// answer is always the same, unless time runs out.
//
// Throws Error(invalid_argument) for figures that are no figures, Error(out_of_memory) that says what doesn't
// fit when no placement exists, Error(resource_exhausted) where none was found and none may exist.
PlannedPlacement find_least_latency(const PlacementProblem& problem, const PlannerOptions& options = {});

}  // namespace lamina
