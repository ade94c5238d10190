// The least that a partial placement still costs, where memory has a price and every stage fits its machine.
#pragma once

#include "plan/memory_levels.h"
#include "plan/stage_costs.h"

#include <cstddef>
#include <vector>

namespace lamina {

// Least time plus price of memory over chains of stages, by dynamic programming over cuts, kinds of machines
// and states of memory. Chains may take more of a machine than it has, by several stages that each fit: the
// prices work against that, and the states forbid it for the kinds that they remember (state-space
// relaxation: N. Christofides, A. Mingozzi, P. Toth, Networks 11(2), 1981).
class StageBound {
 public:
  struct Stage {
    std::size_t first = 0;
    std::size_t end = 0;
    std::size_t kind = 0;
  };

  StageBound(const StageCosts& costs, MemoryLevels levels);

  // In (cuts × kinds² + stages) × states steps. `prices`: seconds a byte, by kind.
  void solve(const std::vector<double>& prices);

  const MemoryLevels& levels() const { return levels_; }
  const std::vector<double>& prices() const { return prices_; }
  // Of the whole, less the price of all pools: no placement is faster.
  double lower_bound() const;
  // From before a stage on the kind that begins at the cut; the way into it is paid for.
  double entering(std::size_t cut, std::size_t kind, std::size_t state) const {
    return entering_[at(cut, kind) + state];
  }
  // From after a stage on the kind that ends at the cut; the way out of it is still to be paid for.
  double leaving(std::size_t cut, std::size_t kind, std::size_t state) const {
    return leaving_[at(cut, kind) + state];
  }
  // The chain of which lower_bound() tells. Only if that is finite.
  std::vector<Stage> cheapest() const;

 private:
  std::size_t at(std::size_t cut, std::size_t kind) const {
    return (cut * costs_.kinds() + kind) * levels_.states();
  }
  void enter(std::size_t cut, std::size_t kind);
  void leave(std::size_t cut);
  // Calls visit(state before, state after) where a stage of so many bytes is allowed, in runs of
  // stride(kind) states.
  template <typename Visit>
  void for_each_step(std::size_t kind, double bytes, const Visit& visit) const;

  const StageCosts& costs_;
  MemoryLevels levels_;
  std::vector<double> prices_;
  std::vector<double> entering_;  // [cut][kind][state]
  std::vector<double> leaving_;
};

}  // namespace lamina
