#include "plan/memory_pools.h"

#include <algorithm>

namespace lamina {

std::vector<MemoryPool> memory_pools(const StageCosts& costs, const FixedStages& fixed) {
  std::map<std::size_t, std::uint64_t> held;  // by device
  for (const auto& [cut, stage] : fixed) held[stage.device] += stage.bytes;
  std::vector<MemoryPool> pools;
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind) {
    const auto first = static_cast<std::ptrdiff_t>(pools.size());
    for (const std::size_t device : costs.members(kind)) {
      const auto holds = held.find(device);
      const std::uint64_t free = costs.budget(kind) - (holds == held.end() ? 0 : holds->second);
      const auto pool = std::find_if(pools.begin() + first, pools.end(),
                                     [&](const MemoryPool& one) { return one.free == free; });
      if (pool == pools.end()) {
        pools.push_back({kind, free, 1, device});
      } else {
        ++pool->machines;
      }
    }
    std::sort(pools.begin() + first, pools.end(),
              [](const MemoryPool& a, const MemoryPool& b) { return a.free > b.free; });
  }
  return pools;
}

}  // namespace lamina
