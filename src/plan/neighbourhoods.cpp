#include "plan/neighbourhoods.h"

#include "plan/chance.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lamina {

namespace {

// Of stages and machines that are freed, by turns: small parts are quick, large ones get farther.
constexpr double kFreed[] = {0.2, 0.4, 0.6};

std::vector<PlacedStage> keep_around_row(const std::vector<PlacedStage>& stages, double freed,
                                         Random& random) {
  const auto count = static_cast<std::size_t>(freed * static_cast<double>(stages.size()));
  const auto first = static_cast<std::ptrdiff_t>(random() % (stages.size() - count + 1));
  std::vector<PlacedStage> kept(stages.begin(), stages.begin() + first);
  kept.insert(kept.end(), stages.begin() + first + static_cast<std::ptrdiff_t>(count), stages.end());
  return kept;
}

// The freed machines exchange what they hold, however far apart it is.
std::vector<PlacedStage> keep_on_other_machines(const std::vector<PlacedStage>& stages, std::size_t machines,
                                                double freed, Random& random) {
  std::vector<bool> is_freed;
  for (std::size_t machine = 0; machine < machines; ++machine) is_freed.push_back(chance(random) < freed);
  std::vector<PlacedStage> kept;
  for (const PlacedStage& stage : stages)
    if (!is_freed[stage.replicas.front().device]) kept.push_back(stage);
  return kept;
}

}  // namespace

Placement improve_by_parts(const StageGraph& graph, const BundleMethod& bundle, Placement placement,
                           const PartLimits& limits, const Deadline& deadline) {
  const std::size_t machines = graph.costs().problem().devices.size();
  Random random;
  Placement best = placement;
  StageDiveLimits dives = limits.dives;
  dives.noise = limits.noise;
  for (std::size_t round = 0; round < limits.rounds && !deadline.passed(); ++round) {
    const double freed = kFreed[random() % std::size(kFreed)];
    const std::vector<PlacedStage> kept =
        random() % 2 == 0 ? keep_around_row(placement.stages, freed, random)
                          : keep_on_other_machines(placement.stages, machines, freed, random);
    const double slower = limits.slower_at_first * best.latency / static_cast<double>(best.stages.size()) *
                          (1 - static_cast<double>(round) / static_cast<double>(limits.rounds));
    const double accepted = std::max(placement.latency, best.latency + slower * chance(random));
    dives.seed = static_cast<unsigned>(random());
    StageDive found = dive(graph, bundle, accepted, dives, deadline, kept);
    if (!found.placement) continue;
    placement = std::move(*found.placement);
    if (placement.latency < best.latency) best = placement;
  }
  return best;
}

}  // namespace lamina
