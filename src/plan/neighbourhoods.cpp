#include "plan/neighbourhoods.h"

#include "plan/memory_prices.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <random>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kFreed = 8;  // stages, about
constexpr int kPriceRounds = 25;
constexpr StageSearchLimits kNarrow = {32, 20'000};

// Marks the stages that are kept.
std::vector<bool> choose_kept(std::size_t stages, std::minstd_rand& random) {
  std::vector<bool> kept(stages, true);
  const auto free_row = [&](std::size_t length) {
    const std::size_t first = random() % stages;
    for (std::size_t i = first; i < std::min(stages, first + length); ++i) kept[i] = false;
  };
  const std::size_t rows = std::size_t{1} << random() % 3;  // of 8, 4 or 2 stages
  for (std::size_t row = 0; row < rows; ++row) free_row(kFreed / rows);
  return kept;
}

}  // namespace

Placement improve_by_parts(const PlacementProblem& problem, Placement placement,
                           const std::vector<double>& prices, std::size_t rounds, const Deadline& deadline) {
  StageCosts costs(problem);
  std::minstd_rand random;
  for (std::size_t round = 0; round < rounds && !deadline.passed(); ++round) {
    costs.keep(placement.stages, choose_kept(placement.stages.size(), random));
    StageBound bound(costs, MemoryLevels(costs, {}));
    raise_memory_prices(bound, costs, prices, placement.latency, kPriceRounds, deadline);
    if (bound.lower_bound() >= placement.latency) continue;
    StageSearchLimits limits = kNarrow;
    limits.faster_than = placement.latency;
    StageSearchResult found = search_stages(costs, bound, limits, deadline);
    if (found.placement) placement = std::move(*found.placement);
  }
  return placement;
}

}  // namespace lamina
