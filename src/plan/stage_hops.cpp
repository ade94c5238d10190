#include "plan/stage_hops.h"

#include "plan/branch_cost.h"

namespace lamina {

namespace {

// Of a hop of a block.
std::uint64_t bytes_of(const PlacementProblem& problem, const StageHop& hop) {
  const PlanBlock& block = problem.blocks[hop.block.value()];
  if (hop.kind == HopLoadKind::bypass) return block.direct_bytes;
  return hop.kind == HopLoadKind::inputs ? bytes_into(block, hop.branches)
                                         : bytes_out_of(block, hop.branches);
}

}  // namespace

std::vector<std::vector<StageHop>> hops_of(const PlacementProblem& problem, const Placement& placement) {
  const std::vector<PlacedStage>& stages = placement.stages;
  const std::size_t front_end = stages.size();
  std::vector<std::vector<StageHop>> hops(stages.size() + 1);
  std::size_t before = front_end;
  for (std::size_t i = 0; i <= stages.size();) {
    const bool back = i == stages.size();
    if (back || stages[i].branches.empty()) {
      const bool joins = before != front_end && !stages[before].branches.empty();
      if (!joins) {
        const std::size_t cut = back ? problem.pieces.size() : stages[i].first_piece;
        const std::size_t wire = back ? placement.return_wire : stages[i].wire.value_or(0);
        hops[before].push_back({before, i, HopLoadKind::all, cut, wire});
      }
      before = i++;
      continue;
    }
    const PlanBlock& block = block_of(problem, stages[i]);
    const auto number = static_cast<std::size_t>(&block - problem.blocks.data());
    std::size_t end = i;
    while (end < stages.size() && !stages[end].branches.empty() &&
           stages[end].first_piece == block.first_piece)
      ++end;
    for (std::size_t group = i; group < end; ++group) {
      hops[before].push_back({before, group, HopLoadKind::inputs, 0, 0, number, stages[group].branches});
      hops[group].push_back({group, end, HopLoadKind::results, 0, 0, number, stages[group].branches});
    }
    if (block.direct_bytes > 0) hops[before].push_back({before, end, HopLoadKind::bypass, 0, 0, number});
    before = end - 1;
    i = end;
  }
  return hops;
}

HopCost hop_cost(const PlacementProblem& problem, const StageHop& hop, std::size_t from, std::size_t to) {
  if (!hop.block) return mean_hop_cost(problem, {{from}}, {{to}}, hop.cut, hop.wire);
  return hop_cost(problem.links[from][to], bytes_of(problem, hop));
}

StageWork sending_work(const PlacementProblem& problem, const StageHop& hop, std::size_t device) {
  if (!hop.block) return output_work(problem, device, hop.wire, hop.cut);
  return {0, sending_processors(problem.devices[device], bytes_of(problem, hop))};
}

StageWork receiving_work(const PlacementProblem& problem, const StageHop& hop, std::size_t device) {
  if (!hop.block) return input_work(problem, device, hop.wire, hop.cut);
  return {0, receiving_processors(problem.devices[device], bytes_of(problem, hop))};
}

}  // namespace lamina
