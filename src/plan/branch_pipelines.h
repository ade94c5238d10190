// Pipelines with branches that run at once, for rates.
#pragma once

#include "base/clock.h"
#include "plan/cost_model.h"
#include "plan/objective.h"
#include "plan/pipeline_limits.h"

#include <cstddef>
#include <optional>

namespace lamina {

struct BranchPipelineResult {
  std::optional<Placement> placement;
  bool complete = true;  // nothing better is left; false where the search gave up
};

// A machine's stages follow each other: once nothing of what comes next runs there, it gets no more. So it
// runs one stage as in a pipeline without branches, or, where a block begins or ends beside that, some of the
// block's branches too; the machine that forks may also be the one where the branches meet. Without replicas
// and wire formats.
//
// The placement of least period (Objective::throughput) or least latency (Objective::latency) of those that
// fork somewhere and keep the limits. By dynamic programming over the cuts: of partial placements that end at
// a cut on a device, with the same devices taken, those that no other beats in what they keep busy; exact
// unless it passes `max_labels` of them or the deadline.
BranchPipelineResult find_branch_pipeline(const PlacementProblem& problem, Objective goal,
                                          const PipelineLimits& limits, std::size_t max_labels,
                                          const Deadline& deadline);

// No placement of any kind has a shorter period, seconds: every device runs what it is best at, branches as
// such where that is less work.
double branch_work_bound(const PlacementProblem& problem);

}  // namespace lamina
