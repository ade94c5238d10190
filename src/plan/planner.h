// One way to ask for any kind of plan.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "plan/least_latency.h"
#include "plan/objective.h"

#include <chrono>
#include <cstddef>
#include <limits>
#include <optional>
#include <vector>

namespace lamina {

// A device may take at most so much of a request's time: seconds, or a share of the latency.
struct TimeLimit {
  std::size_t device = 0;
  double seconds = std::numeric_limits<double>::infinity();
  double share = 1;
};

bool keeps_time_limits(const PlacementProblem& problem, const Placement& placement,
                       const std::vector<TimeLimit>& limits);

struct PlanningRequest {
  Objective objective = Objective::latency;
  double deadline = std::numeric_limits<double>::infinity();  // seconds: latency at most
  double period = std::numeric_limits<double>::infinity();    // seconds between answers at most
  std::size_t replicas = 1;                                   // of a stage, at most
  std::size_t top = 1;                                        // placements wanted
  std::vector<TimeLimit> time_limits = {};
  // Branches may run on several devices at once where that is better: for the objectives latency and
  // throughput, without time limits or wire formats.
  bool branches = true;
  Clock::duration time_limit = std::chrono::seconds(10);   // of planning
  Clock::duration branch_time = std::chrono::seconds(10);  // besides, of looking for branches at a rate
};

// Whether the planner found no placement that keeps what was asked for.
bool says_none_fits(const Error& error);

// Whether more than one placement can be asked for.
bool can_rank(const PlanningRequest& request);

// The best placements, best first; fewer than asked for where there are no more. `lower_bound` is of the
// objective's figure: seconds of latency or period, bytes of the machine with most, machines.
//
// Where a rate counts (objective throughput, or a period), every machine runs at most one stage, but for some
// that are tried from the fastest on (plan/fastest_at_rate.h); otherwise a machine may run several. Among
// equals of the objective's figure the one of least latency.
//
// Throws Error(invalid_argument) for what can't be asked together, Error(out_of_memory) and
// Error(resource_exhausted) that say which demand no placement meets.
std::vector<PlannedPlacement> find_placements(const PlacementProblem& problem,
                                              const PlanningRequest& request);

// The best placement; nothing where none keeps the request. Throws as find_placements() does otherwise.
std::optional<Placement> find_placement(const PlacementProblem& problem, const PlanningRequest& request);

// Placements of which none is both faster and of higher rate, from least latency to highest rate. Periods
// fall by 2 % at least from one to the next. On too many different machines (is_exact_for_rates()) the two
// ends alone.
std::vector<Placement> find_pareto_front(const PlacementProblem& problem, const PlanningRequest& request);

}  // namespace lamina
