// The pipeline of least latency within a period.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"

#include <optional>

namespace lamina {

// Of the pipelines of stages and hops that `allowed` has, within limits.latency and limits.devices, the one
// of least latency. By dynamic programming as for reach_end(), with the least latency to each cut; ways that
// a bound shows to be too long are left out.
std::optional<Placement> least_latency_pipeline(const PipelineTables& tables, const PeriodTables& allowed,
                                                const PipelineLimits& limits, const Deadline& deadline);

}  // namespace lamina
