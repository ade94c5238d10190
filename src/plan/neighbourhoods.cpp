#include "plan/neighbourhoods.h"

#include "plan/best_prices.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <random>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kFreed = 8;          // stages in rows, about
constexpr std::size_t kFreedMachines = 6;  // or all stages of so many machines
constexpr int kPriceRounds = 4;
constexpr double kCloseEnough = 0.1;
constexpr double kSlowerAtFirst = 0.1;  // a share of a stage's mean time
constexpr StageSearchLimits kNarrow = {64, 20'000};

using Random = std::minstd_rand;

void free_rows(std::vector<bool>& kept, Random& random) {
  const std::size_t rows = std::size_t{1} << random() % 3;  // of 8, 4 or 2 stages
  for (std::size_t row = 0; row < rows; ++row) {
    const std::size_t first = random() % kept.size();
    for (std::size_t i = first; i < std::min(kept.size(), first + kFreed / rows); ++i) kept[i] = false;
  }
}

// Machines exchange what they hold, however far apart it is.
void free_machines(std::vector<bool>& kept, const std::vector<PlacedStage>& stages, Random& random) {
  std::vector<std::size_t> machines;
  for (const PlacedStage& stage : stages) machines.push_back(stage.replicas.front().device);
  std::sort(machines.begin(), machines.end());
  machines.erase(std::unique(machines.begin(), machines.end()), machines.end());
  for (std::size_t i = 0; i < std::min(kFreedMachines, machines.size()); ++i) {
    std::swap(machines[i], machines[i + random() % (machines.size() - i)]);
    for (std::size_t stage = 0; stage < stages.size(); ++stage)
      if (stages[stage].replicas.front().device == machines[i]) kept[stage] = false;
  }
}

// Marks the stages that are kept.
std::vector<bool> choose_kept(const std::vector<PlacedStage>& stages, Random& random) {
  std::vector<bool> kept(stages.size(), true);
  if (random() % 2 == 0) {
    free_rows(kept, random);
  } else {
    free_machines(kept, stages, random);
  }
  return kept;
}

}  // namespace

Placement improve_by_parts(const PlacementProblem& problem, Placement placement,
                           const std::vector<double>& prices, std::size_t rounds, const Deadline& deadline) {
  StageCosts costs(problem);
  Random random;
  Placement best = placement;
  const double slower = kSlowerAtFirst * placement.latency / static_cast<double>(placement.stages.size());
  for (std::size_t round = 0; round < rounds && !deadline.passed(); ++round) {
    const double still_slower = 1 - static_cast<double>(round) / static_cast<double>(rounds);
    const double chance = static_cast<double>(random() - Random::min()) / static_cast<double>(Random::max());
    const double accepted = placement.latency + slower * still_slower * chance;
    costs.keep(placement.stages, choose_kept(placement.stages, random));
    const StageGraph graph(costs);
    StageBound bound(graph);
    BundleMethod bundle(prices);
    raise_prices(bound, bundle, {kPriceRounds, kCloseEnough, accepted}, deadline);
    if (bound.lower_bound() >= accepted) continue;
    StageSearchLimits limits = kNarrow;
    limits.faster_than = accepted;
    StageSearchResult found = search_stages(bound, limits, deadline);
    if (!found.placement) continue;
    placement = std::move(*found.placement);
    if (placement.latency < best.latency) best = placement;
  }
  return best;
}

}  // namespace lamina
