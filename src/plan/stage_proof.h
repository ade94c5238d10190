// A proof that no placement is faster than the one known, or a faster one.
#pragma once

#include "base/clock.h"
#include "plan/bundle_method.h"
#include "plan/proof_part.h"
#include "plan/stage_graph.h"

#include <cstddef>
#include <optional>

namespace lamina {

struct StageProof {
  std::optional<Placement> placement;  // the fastest that was met, faster than was known
  double lower_bound = 0;              // no placement of the graph's stages is faster
  bool complete = false;               // whether none is faster than `placement`, or than was known
  std::size_t labels = 0;              // partial placements looked at
};

// Branch and bound: each placement runs a certain piece in one of the stages that have it, on one of the
// machines of that stage's kind. With the stage fixed there, the machine has so much memory less, and all
// stages are gone that overlap it. What is left gets prices of its own, which raise its bound, and loses the
// stages that are hopeless by it. The next piece is the one whose stages promise least, few or slow ones.
// Parts with the lowest bounds come first, some at once, so that the least of all bounds rises; small ones
// are searched to their end. `bundle` holds good prices for the listed graph. The answer does not depend on
// the number of threads unless the deadline cuts it short.
StageProof prove_best(const StageGraph& graph, const BundleMethod& bundle, double known,
                      const StageProofLimits& limits, const Deadline& deadline);

}  // namespace lamina
