#include "plan/memory_prices.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lamina {

namespace {

constexpr int kPatience = 6;  // rounds without a better bound until steps are halved
constexpr double kBetter = 1e-4;
constexpr double kFirstScale = 1;
constexpr double kFirstScaleOfGoodPrices = 0.3;
constexpr double kSmallestScale = 1e-3;
constexpr double kHopedForGap = 0.03;  // at most so far above the bound the best is taken to lie
constexpr double kMemory = 0.6;        // of the last direction in the next
constexpr double kCloseEnough = 1e-9;

// What the cheapest chain takes of each pool beyond what there is, in bytes; negative where room is left.
std::vector<double> excess(const StageBound& bound, const StageCosts& costs) {
  std::vector<double> bytes;
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind) bytes.push_back(-costs.pool(kind));
  for (const StageBound::Stage& stage : bound.cheapest()) {
    bytes[stage.kind] += static_cast<double>(
        stage_memory(costs.problem(), costs.members(stage.kind).front(), stage.first, stage.end));
  }
  return bytes;
}

}  // namespace

void raise_memory_prices(StageBound& bound, const StageCosts& costs, const std::vector<double>& start,
                         double known, int rounds, const Deadline& deadline) {
  std::vector<double> prices = start;
  std::vector<double> best = start;
  std::vector<double> direction(costs.kinds(), 0);
  double highest = 0;
  const bool from_nothing = std::all_of(start.begin(), start.end(), [](double price) { return price == 0; });
  double scale = from_nothing ? kFirstScale : kFirstScaleOfGoodPrices;
  int patience = kPatience;
  for (int round = 0; round < rounds; ++round) {
    if (round > 0 && deadline.passed()) break;
    bound.solve(prices);
    const double value = bound.lower_bound();
    if (!std::isfinite(value)) return;
    if (round == 0 || value > highest) {
      if (value > highest * (1 + kBetter)) patience = kPatience;
      highest = value;
      best = prices;
    } else if (--patience == 0) {
      scale /= 2;
      if (scale < kSmallestScale) break;
      patience = kPatience;
      prices = best;  // go on from the best, in smaller steps
      std::fill(direction.begin(), direction.end(), 0);
      continue;
    }
    if (highest >= known * (1 - kCloseEnough)) break;
    // Polyak's step: as long as the gap over the square of the direction. Free memory of a free pool is no
    // news.
    const std::vector<double> gradient = excess(bound, costs);
    double square = 0;
    for (std::size_t i = 0; i < prices.size(); ++i) {
      direction[i] = kMemory * direction[i] + gradient[i];
      if (direction[i] < 0 && prices[i] == 0) direction[i] = 0;
      square += direction[i] * direction[i];
    }
    if (square == 0) break;
    const double hoped = std::min(known, highest * (1 + kHopedForGap));
    for (std::size_t i = 0; i < prices.size(); ++i)
      prices[i] = std::max(0.0, prices[i] + scale * (hoped - value) / square * direction[i]);
  }
  if (bound.prices() != best) bound.solve(best);
}

}  // namespace lamina
