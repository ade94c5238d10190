// The placement of least latency, exactly.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>

namespace lamina {

struct PlannerOptions {
  // Partial placements kept at most; it bounds memory and time. Beyond it the answer is the best found with a
  // bound.
  std::size_t max_labels = 100'000;
};

struct PlannedPlacement {
  Placement placement;
  // No placement is faster than this. Equal to placement.latency when proven best.
  double lower_bound = 0;
  bool proven_best = true;
  std::size_t labels = 0;  // partial placements looked at
};

// Best-first search over partial placements (A*), where one is dropped when another of the same pieces and
// the same last device is no slower and uses no more memory anywhere. Equal latencies are decided by the
// order of devices, so the answer is always the same.
//
// Throws Error(invalid_argument) for figures that are no figures, Error(out_of_memory) that says what doesn't
// fit when no placement exists.
PlannedPlacement find_least_latency(const PlacementProblem& problem, const PlannerOptions& options = {});

}  // namespace lamina
