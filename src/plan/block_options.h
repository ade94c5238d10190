// The ways in which a block's branches may be shared out among devices, best first.
#pragma once

#include "plan/branch_cost.h"

#include <cstddef>
#include <limits>
#include <vector>

namespace lamina {

// Branches on two devices or more; on one they run as the block's pieces do.
struct BlockOption {
  double seconds = 0;               // from the end of what stands before the block until all is behind it
  std::vector<BranchGroup> groups;  // in the order in which they are sent to
};

struct BlockOptions {
  std::vector<BlockOption> best;  // increasing in time
  // No other way takes less.
  double others = std::numeric_limits<double>::infinity();
};

// All ways where there are at most `few`; else the fastest `few`, found by branch and bound that gives up
// after `most` partial ways.
BlockOptions find_block_options(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                                std::size_t to, std::size_t few, std::size_t most);

}  // namespace lamina
