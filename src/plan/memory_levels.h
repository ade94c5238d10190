// How much memory some kinds of machines have left, roughly, as one number.
#pragma once

#include "plan/stage_costs.h"

#include <cstddef>
#include <vector>

namespace lamina {

// A state has a digit for each kind that is remembered: the quarter of its pool up to which memory is free,
// rounded up. Of other kinds it knows nothing.
class MemoryLevels {
 public:
  static constexpr std::size_t kLevels = 4;

  MemoryLevels(const StageCosts& costs, const std::vector<std::size_t>& remembered);

  std::size_t states() const { return states_; }
  std::size_t untouched() const { return states_ - 1; }
  std::size_t levels(std::size_t kind) const { return levels_[kind]; }
  std::size_t stride(std::size_t kind) const { return stride_[kind]; }
  // The most that is free at a level; a hair more than that, so that rounding never forbids what fits.
  double room(std::size_t kind, std::size_t level) const {
    return pool_[kind] * static_cast<double>(level + 1) / static_cast<double>(levels_[kind]) * (1 + 1e-12);
  }
  std::size_t level(std::size_t kind, double free) const;

 private:
  std::vector<double> pool_;
  std::vector<std::size_t> levels_;
  std::vector<std::size_t> stride_;
  std::size_t states_ = 1;
};

}  // namespace lamina
