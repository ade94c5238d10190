// Where a model may be cut, and what crosses there.
//
// Calls of layers stand in the order of the graph. Every position between two of them is a legal cut: a set
// of tensors crosses it (skip connections included). Position 0 is before the first layer, crossed by the
// inputs; the last position is after the last one, crossed by the outputs.
#pragma once

#include "graph/graph.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina {

struct Cut {
  std::size_t position = 0;  // this many calls of layers come before the cut
  // Values needed after the cut (or outputs of the graph) that exist before it, in order; where there is
  // none, the first input.
  std::vector<ValueId> crossing;
  std::uint64_t bytes_per_item = 0;  // bytes that cross for a batch of one
};

// All positions from 0 to the number of layers, both ends included.
std::vector<Cut> find_cuts(const Graph& graph);

// By layer, whether it does more than move the bytes that cross before it through memory: convolutions,
// products, pooling, large weights.
std::vector<bool> heavy_layers(const Graph& graph, const std::vector<Cut>& cuts);

// The positions worth measuring: both ends, and between every two layers that do heavy work (convolutions,
// products, pooling, large weights) the one position which the fewest bytes cross, of equals the last. The
// layers between them (activations, batch normalisation, sums, padding, reshapes) cost about what moving
// their bytes through memory costs, far less than sending them (so does a convolution over a single pixel),
// and engines fuse them with their neighbours: a cut elsewhere sends more and gains nothing.
std::vector<std::size_t> useful_cuts(const Graph& graph, const std::vector<Cut>& cuts);

// Layers [begin, end) as a Graph of its own: inputs are what crosses at `begin`, outputs what crosses at
// `end`, passing through untouched where the stage does not use it. Ports are named so that the outputs of
// one stage are the inputs of the next. Weights are shared with `graph`, not copied.
//
// `layers`, in order, are those of some branches of the block there (slice/branches.h): then inputs are those
// of what crosses that they use, outputs those that they make. None: all.
Graph extract_stage(const Graph& graph, const std::vector<Cut>& cuts, std::size_t begin, std::size_t end,
                    const std::vector<LayerId>& layers = {});

}  // namespace lamina
