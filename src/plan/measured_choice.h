// Choosing among plans by what they came to when they ran.
#pragma once

#include "plan/plan.h"
#include "plan/planner.h"

#include <vector>

namespace lamina {

// Puts the plans into the order of what was measured: first those that keep the request's deadline and rate,
// of these the best by its objective. Memory and machines are what the plan says, so for these two objectives
// the order among equals stays. Plans that were not measured come last.
void order_by_measurement(std::vector<Plan>& plans, const PlanningRequest& request);

// The request's period is of single requests, also where a plan joins several.

// Whether the measured plan keeps the request's deadline and rate.
bool keeps_demands(const Plan& plan, const PlanningRequest& request);

}  // namespace lamina
