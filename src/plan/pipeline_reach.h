// Whether there is a pipeline within a period.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"
#include "plan/pipeline_walk.h"

#include <optional>

namespace lamina {

// Any pipeline of stages and hops that `allowed` has, of at most limits.devices devices; limits.latency is
// left aside. By dynamic programming: for devices taken and group of the last stage, the set of cuts where it
// may end.
//
// With replicas, one whose shares keep the period, of those that `effort` is enough to look at. Where it is
// not, any, for which `effort` is not complete: its period is too long.
std::optional<Placement> reach_end(const PipelineTables& tables, const PeriodTables& allowed,
                                   const PipelineLimits& limits, WalkEffort& effort);

}  // namespace lamina
