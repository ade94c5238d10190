// What goes from stage to stage of a placement, hop by hop: a chain where nothing forks.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// What a hop carries.
enum class HopLoadKind {
  all,      // what crosses a cut
  inputs,   // what branches of a block use
  results,  // what they make
  bypass,   // what passes the block's branches by
};

struct StageHop {
  std::size_t from = 0;  // stage, or the number of stages: the source's front end
  std::size_t to = 0;
  HopLoadKind kind = HopLoadKind::all;
  std::size_t cut = 0;                    // where all crosses
  std::size_t wire = 0;                   // in which it does
  std::optional<std::size_t> block = {};  // of the others, index in the problem
  std::vector<std::size_t> branches = {};
};

// The hops of a placement's stages by sender (stages, then the front end), each in the order in which it
// sends. Throws as block_of() does.
std::vector<std::vector<StageHop>> hops_of(const PlacementProblem& problem, const Placement& placement);

// The cost of the hop between two devices; `problem` may be of other rows than the one that the hop is of.
HopCost hop_cost(const PlacementProblem& problem, const StageHop& hop, std::size_t from, std::size_t to);

// What the hop takes of the sender, or of the receiver, where these are stages.
StageWork sending_work(const PlacementProblem& problem, const StageHop& hop, std::size_t device);
StageWork receiving_work(const PlacementProblem& problem, const StageHop& hop, std::size_t device);

}  // namespace lamina
