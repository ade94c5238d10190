// Prices for the memory of machines, which turn a limit into a cost.
#pragma once

#include "plan/stage_costs.h"

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
// Memory is measured in several ways, each with its price for each kind of machine: bytes, and for u = 2, 3,
// … the steps ⌈u · bytes / budget⌉ - 1, of which stages that fit a machine together have u - 1 at most
// (superadditive functions; V. Chvátal, "Edmonds polytopes and a hierarchy of combinatorial problems",
// Discrete Mathematics 4, 1973). With u = 2: of stages larger than half a machine it holds one. Each is
// normalised, so that a machine has 1 of it.
class MemoryPrices {
 public:
  // All 0.
  explicit MemoryPrices(const StageCosts& costs);

  // Seconds, by kind and measure; size().
  void set(std::vector<double> prices);
  const std::vector<double>& prices() const { return prices_; }
  std::size_t size() const { return prices_.size(); }

  // Of a stage, seconds.
  double of(std::size_t kind, std::uint64_t bytes) const {
    return a_byte_[kind] * static_cast<double>(bytes) + steps_[kind * kShares + share(kind, bytes)];
  }
  double of_everything() const { return of_everything_; }

  // What there is, negative, by kind and measure.
  std::vector<double> nothing_taken() const;
  // Adds what a stage takes.
  void take(std::vector<double>& taken, std::size_t kind, std::uint64_t bytes) const;

 private:
  // More measures make a better bound, but many prices take long to find.
  static constexpr std::size_t kMeasures = 15;
  static constexpr std::size_t kMeasuresOfManyKinds = 5;
  static constexpr std::size_t kManyKinds = 17;
  // Steps are looked up by the share of the budget, rounded down, which never asks too much.
  static constexpr std::size_t kShares = 720;

  std::size_t share(std::size_t kind, std::uint64_t bytes) const {
    const auto share = static_cast<std::size_t>(static_cast<double>(bytes) * shares_a_byte_[kind]);
    return share < kShares ? share : kShares - 1;
  }
  using Steps = std::array<std::array<double, kShares>, kMeasures>;
  // By measure and share: measure m counts in steps of budget / (m + 1).
  static constexpr Steps make_steps();
  static const Steps kSteps;

  std::size_t measures_;
  std::vector<double> machines_;       // by kind
  std::vector<double> budget_;         // by kind, bytes
  std::vector<double> shares_a_byte_;  // by kind
  std::vector<double> prices_;
  std::vector<double> a_byte_;
  std::vector<double> steps_;  // [kind][share]
  double of_everything_ = 0;
};

}  // namespace lamina
