#include "plan/memory_levels.h"

#include <algorithm>

namespace lamina {

MemoryLevels::MemoryLevels(const StageCosts& costs, const std::vector<std::size_t>& remembered)
    : levels_(costs.kinds(), 1) {
  for (const std::size_t kind : remembered) levels_[kind] = kLevels;
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind) {
    pool_.push_back(costs.pool(kind));
    stride_.push_back(states_);
    states_ *= levels_[kind];
  }
}

std::size_t MemoryLevels::level(std::size_t kind, double free) const {
  if (levels_[kind] == 1 || !(free > 0)) return 0;
  const double level = free * static_cast<double>(levels_[kind]) / pool_[kind];
  return std::min(static_cast<std::size_t>(level), levels_[kind] - 1);
}

}  // namespace lamina
