// The pipeline of least latency within a period.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"
#include "plan/pipeline_walk.h"

#include <optional>

namespace lamina {

// Of the pipelines of stages and hops that `allowed` has, within limits.latency and limits.devices, the one
// of least latency. By dynamic programming as for reach_end(), with the least latency to each cut; ways that
// a bound shows to be too long are left out.
//
// With replicas, the best of those that `effort` is enough to look at. Where nothing is found and `effort` is
// not complete, there may be one.
std::optional<Placement> least_latency_pipeline(const PipelineTables& tables, const PeriodTables& allowed,
                                                const PipelineLimits& limits, WalkEffort& effort);

}  // namespace lamina
