// A proof that no placement is faster than the one known, or a faster one.
#pragma once

#include "base/clock.h"
#include "plan/bundle_method.h"
#include "plan/stage_graph.h"

#include <cstddef>
#include <limits>
#include <optional>

namespace lamina {

struct StageProof {
  std::optional<Placement> placement;  // the fastest that was met, faster than was known
  double lower_bound = 0;              // no placement of the graph's stages is faster
  bool complete = false;               // whether none is faster than `placement`, or than was known
  std::size_t labels = 0;              // partial placements looked at
};

struct StageProofLimits {
  std::size_t small_graph = 200;     // stages, of graphs that are searched before they are split
  std::size_t max_labels = 100'000;  // of a search where nothing is left to be split
  std::size_t most_parts = std::numeric_limits<std::size_t>::max();  // that are looked at
};

// Branch and bound: of a graph's placements, some have a certain piece on a certain kind of machine and the
// others have not. Both are graphs of fewer stages; each gets prices of its own, which raise its bound, and
// loses the stages that are hopeless by it. Small ones are searched to their end. The graph with the lowest
// bound comes first, so that the least of all bounds rises. `bundle` holds good prices for the listed graph
// and the planes that led there.
StageProof prove_best(const StageGraph& graph, const BundleMethod& bundle, double known,
                      const StageProofLimits& limits, const Deadline& deadline);

}  // namespace lamina
