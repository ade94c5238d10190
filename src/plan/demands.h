// What a placement has to keep, whatever it is to be best at.
#pragma once

#include "plan/least_latency.h"

#include <chrono>
#include <cstddef>
#include <limits>

namespace lamina {

struct Demands {
  double deadline = std::numeric_limits<double>::infinity();  // seconds: latency at most
  // Seconds between answers at most. Where it is given, every machine runs at most one stage (unless the
  // fastest placement keeps it as it is).
  double period = std::numeric_limits<double>::infinity();
  std::size_t replicas = 1;                      // of a stage, at most; only for a period
  std::chrono::duration<double> time_limit{10};  // of planning
};

// The placement of least latency that keeps the demands. Error(resource_exhausted) that says which can't be
// kept, Error(out_of_memory) where no placement fits at all.
PlannedPlacement find_fastest(const PlacementProblem& problem, const Demands& demands);

}  // namespace lamina
