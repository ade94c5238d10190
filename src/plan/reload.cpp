#include "plan/reload.h"

#include "plan/branch_cost.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace lamina {

namespace {

bool runs_on(const PlacedStage& stage, std::size_t device) {
  return std::any_of(stage.replicas.begin(), stage.replicas.end(),
                     [&](const Replica& replica) { return replica.device == device; });
}

bool is_same(const PlacedStage& a, const PlacedStage& b) {
  return a.first_piece == b.first_piece && a.end_piece == b.end_piece && a.branches == b.branches;
}

// Whether the part, a piece or branch of the stage, is one of `had` too.
bool holds(const PlacedStage& had, const PlacedStage& stage, std::size_t part) {
  if (stage.branches.empty()) {
    const std::size_t piece = stage.first_piece + part;
    return had.branches.empty() && piece >= had.first_piece && piece < had.end_piece;
  }
  if (had.first_piece > stage.first_piece || had.end_piece < stage.end_piece) return false;
  return had.branches.empty() ||
         std::find(had.branches.begin(), had.branches.end(), stage.branches[part]) != had.branches.end();
}

}  // namespace

double reload_seconds(const PlacementProblem& problem, const Placement& next, const Loaded& loaded) {
  std::vector<double> seconds(problem.devices.size(), 0);
  for (const PlacedStage& stage : next.stages) {
    for (const Replica& replica : stage.replicas) {
      const auto had = [&](const auto& what) {
        return std::any_of(
            loaded.placement.stages.begin(), loaded.placement.stages.end(),
            [&](const PlacedStage& known) { return runs_on(known, replica.device) && what(known); });
      };
      if (loaded.ready && had([&](const PlacedStage& known) { return is_same(known, stage); })) continue;
      const std::vector<const PieceCost*> costs = costs_of(problem, stage, replica.device);
      for (std::size_t part = 0; part < costs.size(); ++part) {
        const bool has_weights = had([&](const PlacedStage& known) { return holds(known, stage, part); });
        seconds[replica.device] +=
            has_weights ? costs[part]->load : load_seconds(problem, replica.device, *costs[part]);
      }
    }
  }
  return *std::max_element(seconds.begin(), seconds.end());
}

}  // namespace lamina
