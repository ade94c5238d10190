// Why a placement is as it is, for people.
#pragma once

#include "plan/plan.h"
#include "plan/planner.h"

#include <string>
#include <vector>

namespace lamina {

// Tables: where the time of a request goes, stage by stage, as predicted and, where the plan has run, as
// measured; what keeps each machine busy and its memory; what the plan would come to without each machine
// that it uses. `placement` is the plan's, priced by `problem`.
std::string explain_placement(const PlacementProblem& problem, const PlanningRequest& request,
                              const Placement& placement, const Plan& plan);

// The machines of its stages, those at once by ∥: "a → b ∥ c, d".
std::string format_machines(const PlacementProblem& problem, const Placement& placement);

// The placements between least latency and highest rate, as a table.
std::string format_pareto_front(const PlacementProblem& problem, const std::vector<Placement>& front,
                                double joined);

}  // namespace lamina
