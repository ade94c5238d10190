// How much memory the intermediate results of a graph need.
#pragma once

#include "graph/graph.h"

#include <cstdint>

namespace lamina {

// The greatest number of bytes alive at once when nodes run in order, each result freed after its last use;
// the graph's inputs and outputs count from first to last. Reshapes and identities share the bytes of their
// input. An engine that fuses ops needs less, one that pads or reorders needs more.
std::uint64_t peak_activation_bytes(const Graph& graph, std::int64_t batch);

// The value whose bytes `value` is when inferring: itself, or what an identity or a dropout was given.
ValueId origin_of(const Graph& graph, ValueId value);

}  // namespace lamina
