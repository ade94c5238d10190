#include "plan/memory_prices.h"

#include "plan/completion_bound.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace lamina {

namespace {

constexpr int kPatience = 4;  // rounds without a better bound until steps are halved
constexpr double kHopedForGap =
    0.05;  // while no placement is known, the best is taken to lie so far above the bound
constexpr double kCloseEnough = 1e-9;

// What the placement certainly takes of each device beyond its budget, in bytes; negative where room is left.
std::vector<double> excess(const PlacementProblem& problem, const Placement& placement) {
  std::vector<double> bytes;
  for (const PlanDevice& device : problem.devices)
    bytes.push_back(-static_cast<double>(device.memory_budget));
  for (const PlacedStage& stage : placement.stages) {
    const std::size_t device = stage.replicas.front().device;
    double& sum = bytes[device];
    sum += static_cast<double>(problem.cut_bytes[stage.first_piece] + problem.cut_bytes[stage.end_piece]);
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
      sum += static_cast<double>(problem.cost[device][piece].weight_bytes);
    }
  }
  return bytes;
}

}  // namespace

MemoryPrices find_memory_prices(const PlacementProblem& problem, int rounds) {
  const std::size_t devices = problem.devices.size();
  MemoryPrices best{std::vector<double>(devices, 0), 0, std::nullopt};
  std::vector<double> prices = best.seconds_per_byte;
  double scale = 1;
  int patience = kPatience;
  for (int round = 0; round < rounds; ++round) {
    const CompletionBound bound(problem, prices);
    if (!std::isfinite(bound.from_start())) return best;
    double value = bound.from_start();
    for (std::size_t i = 0; i < devices; ++i)
      value -= prices[i] * static_cast<double>(problem.devices[i].memory_budget);
    if (round == 0 || value > best.lower_bound) {
      best.seconds_per_byte = prices;
      best.lower_bound = value;
      patience = kPatience;
    } else if (--patience == 0) {
      scale /= 2;
      patience = kPatience;
      prices = best.seconds_per_byte;  // go on from the best, in smaller steps
    }
    const Placement placement = evaluate(problem, bound.cheapest());
    if (is_feasible(problem, placement) && (!best.feasible || placement.latency < best.feasible->latency)) {
      best.feasible = placement;
    }
    const double hoped = best.feasible ? best.feasible->latency : best.lower_bound * (1 + kHopedForGap);
    if (hoped - best.lower_bound <= kCloseEnough * hoped) return best;
    // Polyak's step: as long as the gap over the square of the subgradient. Free memory of a free device is
    // no news.
    std::vector<double> gradient = excess(problem, placement);
    double square = 0;
    for (std::size_t i = 0; i < devices; ++i) {
      if (gradient[i] < 0 && prices[i] == 0) gradient[i] = 0;
      square += gradient[i] * gradient[i];
    }
    if (square == 0) return best;
    for (std::size_t i = 0; i < devices; ++i) {
      prices[i] = std::max(0.0, prices[i] + scale * (hoped - value) / square * gradient[i]);
    }
  }
  return best;
}

}  // namespace lamina
