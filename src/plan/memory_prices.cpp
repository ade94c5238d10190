#include "plan/memory_prices.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

constexpr double kAHairLess = 1 - 1e-12;  // so that rounding never makes a share larger

}  // namespace

constexpr MemoryPrices::Steps MemoryPrices::make_steps() {
  Steps steps{};
  for (std::size_t u = 2; u <= kMeasures; ++u) {
    for (std::size_t share = 1; share < kShares; ++share) {
      const std::size_t taken = (u * share + kShares - 1) / kShares - 1;
      steps[u - 1][share] = static_cast<double>(taken) / static_cast<double>(u - 1);
    }
  }
  return steps;
}

constinit const MemoryPrices::Steps MemoryPrices::kSteps = make_steps();

MemoryPrices::MemoryPrices(const StageCosts& costs)
    : measures_(costs.kinds() < kManyKinds ? kMeasures : kMeasuresOfManyKinds),
      prices_(costs.kinds() * measures_, 0),
      a_byte_(costs.kinds(), 0),
      steps_(costs.kinds() * kShares, 0) {
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind) {
    machines_.push_back(static_cast<double>(costs.members(kind).size()));
    budget_.push_back(std::max(1.0, static_cast<double>(costs.budget(kind))));
    shares_a_byte_.push_back(static_cast<double>(kShares) / budget_.back() * kAHairLess);
  }
}

void MemoryPrices::set(std::vector<double> prices) {
  prices_ = std::move(prices);
  of_everything_ = 0;
  std::fill(steps_.begin(), steps_.end(), 0);
  for (std::size_t kind = 0; kind < machines_.size(); ++kind) {
    const double* const price = &prices_[kind * measures_];
    a_byte_[kind] = price[0] / budget_[kind];
    double* const steps = &steps_[kind * kShares];
    for (std::size_t measure = 0; measure < measures_; ++measure) {
      if (price[measure] == 0) continue;
      of_everything_ += price[measure] * machines_[kind];
      if (measure == 0) continue;
      for (std::size_t share = 0; share < kShares; ++share)
        steps[share] += price[measure] * kSteps[measure][share];
    }
  }
}

std::vector<double> MemoryPrices::nothing_taken() const {
  std::vector<double> taken;
  for (const double machines : machines_) taken.insert(taken.end(), measures_, -machines);
  return taken;
}

void MemoryPrices::take(std::vector<double>& taken, std::size_t kind, std::uint64_t bytes) const {
  taken[kind * measures_] += static_cast<double>(bytes) / budget_[kind];
  const std::size_t part = share(kind, bytes);
  for (std::size_t measure = 1; measure < measures_; ++measure)
    taken[kind * measures_ + measure] += kSteps[measure][part];
}

}  // namespace lamina
