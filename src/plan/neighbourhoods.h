// Makes a placement faster by placing parts of it anew, with the rest as it is.
#pragma once

#include "base/clock.h"
#include "base/parallel.h"
#include "plan/stage_dive.h"

#include <cstddef>

namespace lamina {

struct PartLimits {
  std::size_t rounds = 50;
  double most_freed = 0.6;  // of stages and machines; a third and two thirds of that by turns, too
  // At first a placement may be slower than the best known by so many of a stage's mean times.
  double slower_at_first = 0.3;
  double noise = 0.3;  // of dives into parts
  StageDiveLimits dives = {};
  std::size_t threads = all_processors();
};

// Large neighbourhood search (P. Shaw, "Using Constraint Programming and Local Search Methods to Solve
// Vehicle Routing Problems", CP 1998): some stages are freed, the others kept, and the freed pieces placed
// anew by a dive. Freed are stages in a row, or all stages of some machines, in an order that is always the
// same, four times a round, of which the best is kept, on any number of threads. At first somewhat slower
// placements may take the place of the one known (threshold accepting: G. Dueck, T. Scheuer, Journal of
// Computational Physics 90, 1990). `graph` and `bundle` as for a dive. Ends after the rounds or at the
// deadline; the answer is `placement` or faster.
Placement improve_by_parts(const StageGraph& graph, const BundleMethod& bundle, Placement placement,
                           const PartLimits& limits, const Deadline& deadline);

}  // namespace lamina
