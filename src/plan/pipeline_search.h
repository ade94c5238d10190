// Pipelines in which every machine runs at most one stage, within a period: whether there is one, and the one
// of least latency. Exact, by dynamic programming over (pieces done, devices taken, devices of the last
// stage).
//
// The recurrence over sets of devices counted by type is that of PipeEdge (Y. Hu et al., "PipeEdge: Pipeline
// Parallelism for Large-Scale Model Inference on Heterogeneous Edge Devices", DSD 2022), here for a given
// period (then a state is a set of cuts, kept as bits), with replicas and with the source's own link shared
// by requests, answers and its stage.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"

#include <cstddef>
#include <optional>

namespace lamina {

class PipelineSearch {
 public:
  // Stages have up to `replicas` replicas, or fewer where there would be too many groups of devices; see
  // replicas(). `problem` must outlive the search.
  PipelineSearch(const PlacementProblem& problem, std::size_t replicas);

  // Whether the problem is small enough; without it nothing else may be called.
  static bool is_small_enough(const PlacementProblem& problem);
  // The replicas a stage may have in this search.
  std::size_t replicas() const { return tables_.replicas; }

  // A pipeline within limits.period and limits.devices; limits.latency is left aside. Nothing where there is
  // none. Error(deadline_exceeded) once `deadline` has passed.
  std::optional<Placement> find_any(const PipelineLimits& limits, const Deadline& deadline) const;
  // The one of least latency within all limits.
  std::optional<Placement> find_least_latency(const PipelineLimits& limits, const Deadline& deadline) const;

 private:
  template <typename Relaxed>
  std::optional<Placement> branch(double period, const Relaxed& relaxed, bool any) const;

  PipelineTables tables_;
};

}  // namespace lamina
