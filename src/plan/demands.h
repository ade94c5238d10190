// What a placement has to keep, whatever it is to be best at.
#pragma once

#include "base/clock.h"
#include "plan/highest_rate.h"

#include <chrono>
#include <cstddef>
#include <limits>

namespace lamina {

struct Demands {
  double deadline = std::numeric_limits<double>::infinity();  // seconds: latency at most
  // Seconds between answers at most. Where it is given, every machine runs at most one stage, unless one of
  // the fastest placements keeps it as it is (plan/fastest_at_rate.h).
  double period = std::numeric_limits<double>::infinity();
  std::size_t replicas = 1;                               // of a stage, at most; only for a period
  Clock::duration time_limit = std::chrono::seconds(10);  // of planning
  bool branches = false;  // may run on several devices at once, also for a period
  Clock::duration branch_time = std::chrono::seconds(10);  // besides, of looking for them at a rate
};

RateOptions rate_options(const Demands& demands);

// The placement of least latency that keeps the demands. Error(resource_exhausted) that says which can't be
// kept, Error(out_of_memory) where no placement fits at all.
PlannedPlacement find_fastest(const PlacementProblem& problem, const Demands& demands);
// The same where find_least_latency() has been asked already.
PlannedPlacement keep_demands(const PlacementProblem& problem, PlannedPlacement fastest,
                              const Demands& demands);

}  // namespace lamina
