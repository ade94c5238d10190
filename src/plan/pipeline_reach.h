// Whether there is a pipeline within a period.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"

#include <optional>

namespace lamina {

// Any pipeline of stages and hops that `allowed` has, of at most limits.devices devices; limits.latency is
// left aside. By dynamic programming: for devices taken and group of the last stage, the set of cuts where it
// may end.
std::optional<Placement> reach_end(const PipelineTables& tables, const PeriodTables& allowed,
                                   const PipelineLimits& limits, const Deadline& deadline);

}  // namespace lamina
