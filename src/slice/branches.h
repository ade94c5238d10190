// Where a model forks and joins: layers that could run on different machines at once.
#pragma once

#include "slice/cuts.h"

#include <cstddef>
#include <vector>

namespace lamina {

// The layers between two cuts in groups with no way from one to another.
struct BranchBlock {
  std::size_t begin = 0;  // positions of cuts
  std::size_t end = 0;
  // Each in order, together all layers of [begin, end); by their first layers.
  std::vector<std::vector<LayerId>> branches;
};

// The blocks that save most when their branches run at once (Σ FLOPs of the branches − those of the longest),
// of equals those of most layers, with a layer at least between one and the next. Each branch does heavy work
// (heavy_layers()) and uses something from before the block; what is neither goes with the lightest branch. A
// block forks once: what forks again within a branch stays in it. At most six branches: the lightest go
// together.
std::vector<BranchBlock> find_blocks(const Graph& graph, const std::vector<Cut>& cuts);

// Error(invalid_argument) unless the block is one: all layers of its span in order, each in one of two
// branches or more, no way between branches, every branch with something to come in and to go out.
void check_block(const Graph& graph, const std::vector<Cut>& cuts, const BranchBlock& block);

// What a stage of some layers of [begin, end) takes and makes: of what crosses at `begin` that which they
// use, and what they make that crosses at `end`, each in the order of the cut. All of what crosses for a
// stage without `layers`, which is of all layers; such a stage passes on what it does not use.
struct StageEnds {
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;  // at the end of the graph its outputs, as often as they stand there
};
StageEnds ends_of_stage(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end,
                        const std::vector<LayerId>& layers);

// The layers of several branches of a block, in order.
std::vector<LayerId> layers_of(const BranchBlock& block, const std::vector<std::size_t>& branches);

}  // namespace lamina
