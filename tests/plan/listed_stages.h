// Graphs of stages for tests of what needs them listed.
#pragma once

#include "plan/stage_bound.h"

#include <limits>
#include <vector>

namespace lamina {

// The stages worth listing when any placement is wanted, as the planner lists them.
inline StageGraph list_all(const StageGraph& everything) {
  StageBound bound(everything);
  bound.solve(std::vector<double>(bound.prices().size(), 0));
  return *bound.without_hopeless(std::numeric_limits<double>::infinity(), 100'000);
}

}  // namespace lamina
