// The placement of the highest rate: most answers a second with many requests under way.
#pragma once

#include "base/clock.h"
#include "plan/least_latency.h"

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>

namespace lamina {

struct RateOptions {
  std::size_t replicas = 1;                                       // of a stage, at most
  double latency = std::numeric_limits<double>::infinity();       // seconds, at most
  std::size_t devices = std::numeric_limits<std::size_t>::max();  // machines, at most
  Clock::duration time_limit = std::chrono::seconds(10);
  Clock::duration branch_time = std::chrono::seconds(10);  // besides, of looking for branches at once
};

// Whether rates on these machines can be planned exactly: few of different kinds.
bool is_exact_for_rates(const PlacementProblem& problem);

// Every machine runs at most one stage (docs/decisions/0007). Of the placements of least period the one of
// least latency; with replicas, whose shares are as fits each stage (shared_pipeline.h), the best of these
// that is met. In the answer `lower_bound` is a period that no such placement goes below, whatever its
// shares.
//
// For more than some 16 different machines it is the best found, with the bound (many_machines.h).
//
// Throws as find_least_latency() does; Error(resource_exhausted) where nothing keeps the latency.
PlannedPlacement find_highest_rate(const PlacementProblem& problem, const RateOptions& options);

// The placement of least latency that answers every `period` seconds, of at most options.devices machines;
// nothing where there is none. With replicas it is the best met. Error(deadline_exceeded) past the time
// limit, or where replicas leave open whether there is one; Error(unsupported) for more than 16 different
// machines.
std::optional<Placement> find_least_latency_within(const PlacementProblem& problem, double period,
                                                   const RateOptions& options);

}  // namespace lamina
