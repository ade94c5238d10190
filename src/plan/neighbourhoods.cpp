#include "plan/neighbourhoods.h"

#include "plan/chance.h"

#include <algorithm>
#include <iterator>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kAtOnce = 4;  // dives of a round
// Of the most that is freed, by turns: small parts are quick, large ones get farther.
constexpr double kFreed[] = {1.0 / 3, 2.0 / 3, 1};

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
  for (std::size_t round = 0; round < limits.rounds && !deadline.passed(); ++round) {
    const double slower = limits.slower_at_first * best.latency / static_cast<double>(best.stages.size()) *
                          (1 - static_cast<double>(round) / static_cast<double>(limits.rounds));
    const double accepted = std::max(placement.latency, best.latency + slower * chance(random));
    std::vector<std::vector<PlacedStage>> kept;
    std::vector<StageDiveLimits> dives(kAtOnce, limits.dives);
    for (StageDiveLimits& dive : dives) {
      const double freed = limits.most_freed * kFreed[random() % std::size(kFreed)];
      kept.push_back(random() % 2 == 0 ? keep_around_row(placement.stages, freed, random)
                                       : keep_on_other_machines(placement.stages, machines, freed, random));
      dive.noise = limits.noise;
      dive.seed = static_cast<unsigned>(random());
    }
    std::vector<StageDive> found(kAtOnce);
    for_each_in_parallel(kAtOnce, limits.threads, [&](std::size_t i) {
      found[i] = dive(graph, bundle, accepted, dives[i], deadline, kept[i]);
    });
    std::optional<Placement> fastest;
    for (StageDive& one : found) {
      if (one.placement && (!fastest || one.placement->latency < fastest->latency))
        fastest = std::move(one.placement);
    }
    if (!fastest) continue;
    placement = *std::move(fastest);
    if (placement.latency < best.latency) best = placement;
  }
  return best;
}

}  // namespace lamina
