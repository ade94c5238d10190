// What memory machines have left where some stages have their machine already.
#pragma once

#include "plan/stage_costs.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

namespace lamina {

// Stages that have their machine already, by the cut where they begin. They don't overlap and fit together.
struct FixedStage {
  std::size_t device = 0;
  std::uint64_t bytes = 0;
};
using FixedStages = std::map<std::size_t, FixedStage>;

// Machines of a kind that have as much memory left, which are exchangeable but for stages beside the fixed
// ones.
struct MemoryPool {
  std::size_t kind = 0;
  std::uint64_t free = 0;  // of one machine, bytes
  std::size_t machines = 0;
  std::size_t device = 0;  // one of them
};

// By kind, those with most left first.
std::vector<MemoryPool> memory_pools(const StageCosts& costs, const FixedStages& fixed = {});

}  // namespace lamina
