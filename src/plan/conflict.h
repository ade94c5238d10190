// Which demands can't be met together.
#pragma once

#include "plan/constraints.h"
#include "plan/holes.h"
#include "plan/planner.h"

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lamina {

// Of `count` demands that can't all be met, a smallest set that can't: without any one of them the others
// can. The smallest of all for up to 12 demands. `possible(active)` says whether those marked can be met
// together.
std::vector<std::size_t> find_conflict(std::size_t count,
                                       const std::function<bool(const std::vector<bool>& active)>& possible);

// For a request that no placement meets: the smallest set of constraints, deadline, rate, memory of the
// machines and holes of the benchmark that can't be met together, in words. `problem` is without constraints.
// Empty where nothing would help.
std::string explain_conflict(const PlacementProblem& problem,
                             const std::vector<std::vector<std::string>>& layers,
                             const Constraints& constraints, const PlanningRequest& request,
                             const std::vector<Hole>& holes);

}  // namespace lamina
