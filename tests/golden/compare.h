// Whether our answers are Keras's.
#pragma once

#include "engine/engine.h"
#include "graph/graph.h"
#include "graph/tensor.h"

#include <string>
#include <vector>

namespace lamina {

constexpr double kTolerance = 1e-4;  // of the largest value of an output, in float32

// An empty text where `actual` equals `expected`: same shapes, differences within kTolerance of the largest
// absolute value of each output, no NaN, and for outputs that are scores of classes the same best class of
// every item. Otherwise what differs most, and where.
std::string describe_difference(const std::vector<Tensor>& actual, const std::vector<Tensor>& expected);

// Runs `graph` cut at `positions` (each stage compiled and run on its own, one after another) on `inputs`.
std::vector<Tensor> run_cut(Engine& engine, const Graph& graph, const std::vector<std::size_t>& positions,
                            const std::vector<Tensor>& inputs);

}  // namespace lamina
