// Prices for the memory of machines, which turn a limit into a cost.
#pragma once

#include "plan/memory_pools.h"
#include "plan/stage_costs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina {

// For any prices ≥ 0, the least of (time + price of the memory taken) over all placements, less the price of
// all budgets, is no more than the time of the best placement within the budgets: Lagrangian relaxation (M.
// L. Fisher, "The Lagrangian Relaxation Method for Solving Integer Programming Problems", Management Science
// 27(1), 1981).
//
// Memory is measured in several ways, each with its price for each pool of machines: bytes, and for u = 2, 3,
// … the steps ⌈u · bytes / free⌉ - 1, of which stages that fit a machine together have u - 1 at most
// (superadditive functions; V. Chvátal, "Edmonds polytopes and a hierarchy of combinatorial problems",
// Discrete Mathematics 4, 1973). With u = 2: of stages larger than half of what is free one fits. Each is
// normalised, so that a machine has 1 of it. What fixed stages hold is not free, and they cost nothing.
class MemoryPrices {
 public:
  // All 0, of machines that hold nothing.
  explicit MemoryPrices(const StageCosts& costs) : MemoryPrices(costs, memory_pools(costs)) {}
  // All 0, of these pools, as memory_pools() has them.
  MemoryPrices(const StageCosts& costs, const std::vector<MemoryPool>& pools);

  // Seconds, by pool and measure; size().
  void set(std::vector<double> prices);
  const std::vector<double>& prices() const { return prices_; }
  std::size_t size() const { return prices_.size(); }
  std::size_t measures() const { return measures_; }

  // Of a stage on the cheapest machine of the kind that it fits, of which there is one. Seconds.
  double of(std::size_t kind, std::uint64_t bytes) const {
    std::size_t pool = first_pool_[kind];
    double least = of_pool(pools_[pool], pool, bytes);
    for (++pool; pool < first_pool_[kind + 1] && bytes <= pools_[pool].free; ++pool)
      least = std::min(least, of_pool(pools_[pool], pool, bytes));
    return least;
  }
  double of_everything() const { return of_everything_; }

  // What there is, negative, by pool and measure.
  std::vector<double> nothing_taken() const;
  // Adds what a stage takes of the pool of which of() tells.
  void take(std::vector<double>& taken, std::size_t kind, std::uint64_t bytes) const;

 private:
  // More measures make a better bound, but many prices take long to find.
  static constexpr std::size_t kMeasures = 15;
  static constexpr std::size_t kMeasuresOfManyKinds = 15;
  static constexpr std::size_t kManyKinds = 17;
  // Steps are looked up by the share of what is free, rounded down, which never asks too much.
  static constexpr std::size_t kShares = 360;

  struct Pool {
    std::uint64_t free = 0;
    double machines = 0;
    double bytes = 0;  // free, at least 1
    double shares_a_byte = 0;
    double a_byte = 0;  // price
  };
  static std::size_t share(const Pool& pool, std::uint64_t bytes) {
    const auto share = static_cast<std::size_t>(static_cast<double>(bytes) * pool.shares_a_byte);
    return share < kShares ? share : kShares - 1;
  }
  double of_pool(const Pool& pool, std::size_t index, std::uint64_t bytes) const {
    return pool.a_byte * static_cast<double>(bytes) + steps_[index * kShares + share(pool, bytes)];
  }
  using Steps = std::array<std::array<double, kShares>, kMeasures>;
  // By measure and share: measure m counts in steps of free / (m + 1).
  static constexpr Steps make_steps();
  static const Steps kSteps;

  std::size_t measures_;
  std::vector<Pool> pools_;
  std::vector<std::size_t> first_pool_;  // by kind
  std::vector<double> prices_;
  std::vector<double> steps_;  // [pool][share], price
  double of_everything_ = 0;
};

}  // namespace lamina
