// What pieces and branches need at least.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <vector>

namespace lamina {

// The work of a piece or a branch is its time on the device that is quickest at it; a block's that of its
// pieces or of its branches, whichever is less.
struct BranchWork {
  explicit BranchWork(const PlacementProblem& problem);

  std::vector<double> rest;  // by cut: the work that is to come, seconds
  // By device: the work that it can do in a second, at most 1.
  std::vector<double> speed;
};

}  // namespace lamina
