#include "plan/memory_prices.h"

#include <algorithm>
#include <numeric>
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

MemoryPrices::MemoryPrices(const StageCosts& costs, const std::vector<MemoryPool>& pools)
    : measures_(costs.kinds() < kManyKinds ? kMeasures : kMeasuresOfManyKinds),
      first_pool_(costs.kinds() + 1, 0),
      prices_(pools.size() * measures_, 0),
      steps_(pools.size() * kShares, 0) {
  for (const MemoryPool& pool : pools) {
    ++first_pool_[pool.kind + 1];
    const double bytes = std::max(1.0, static_cast<double>(pool.free));
    pools_.push_back({pool.free, static_cast<double>(pool.machines), bytes,
                      static_cast<double>(kShares) / bytes * kAHairLess});
  }
  std::partial_sum(first_pool_.begin(), first_pool_.end(), first_pool_.begin());
}

void MemoryPrices::set(std::vector<double> prices) {
  prices_ = std::move(prices);
  of_everything_ = 0;
  std::fill(steps_.begin(), steps_.end(), 0);
  for (std::size_t index = 0; index < pools_.size(); ++index) {
    Pool& pool = pools_[index];
    const double* const price = &prices_[index * measures_];
    pool.a_byte = price[0] / pool.bytes;
    double* const steps = &steps_[index * kShares];
    for (std::size_t measure = 0; measure < measures_; ++measure) {
      if (price[measure] == 0) continue;
      of_everything_ += price[measure] * pool.machines;
      // Where the steps rise; step m + 1 of a measure begins beyond m + 1 times its share.
      for (std::size_t step = 1; step <= measure; ++step)
        steps[step * kShares / (measure + 1) + 1] += price[measure] / static_cast<double>(measure);
    }
    std::partial_sum(steps, steps + kShares, steps);
  }
}

std::vector<double> MemoryPrices::nothing_taken() const {
  std::vector<double> taken;
  for (const Pool& pool : pools_) taken.insert(taken.end(), measures_, -pool.machines);
  return taken;
}

void MemoryPrices::take(std::vector<double>& taken, std::size_t kind, std::uint64_t bytes) const {
  std::size_t index = first_pool_[kind];
  const double least = of(kind, bytes);
  while (of_pool(pools_[index], index, bytes) != least) ++index;
  taken[index * measures_] += static_cast<double>(bytes) / pools_[index].bytes;
  const std::size_t part = share(pools_[index], bytes);
  for (std::size_t measure = 1; measure < measures_; ++measure)
    taken[index * measures_ + measure] += kSteps[measure][part];
}

}  // namespace lamina
