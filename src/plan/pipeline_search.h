// Pipelines in which every machine runs at most one stage, within a period: whether there is one, and the one
// of least latency. Exact, by dynamic programming over (pieces done, devices taken, devices of the last
// stage).
//
// The recurrence over sets of devices counted by type is that of PipeEdge (Y. Hu et al., "PipeEdge: Pipeline
// Parallelism for Large-Scale Model Inference on Heterogeneous Edge Devices", DSD 2022), here for a given
// period (then a state is a set of cuts, kept as bits), with replicas and with the source's own link shared
// by requests, answers and its stage. What the recurrence finds with replicas may be impossible
// (pipeline_tables.h): pipelines of it are looked at one by one, so many at most.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"

#include <cstddef>
#include <optional>

namespace lamina {

struct FoundPipeline {
  std::optional<Placement> placement;
  bool proven = true;  // that there is none, where there is none
};

class PipelineSearch {
 public:
  // Stages have up to `replicas` replicas, or fewer where there would be too many groups of devices; see
  // replicas(). `problem` must outlive the search.
  PipelineSearch(const PlacementProblem& problem, std::size_t replicas);

  // Whether the problem is small enough; without it nothing else may be called.
  static bool is_small_enough(const PlacementProblem& problem);
  // The replicas a stage may have in this search.
  std::size_t replicas() const { return tables_.replicas; }

  // A pipeline within limits.period and limits.devices; limits.latency is left aside.
  // Error(deadline_exceeded) once `deadline` has passed.
  FoundPipeline find_any(const PipelineLimits& limits, const Deadline& deadline) const;
  // The one of least latency within all limits; with replicas the best met.
  FoundPipeline find_least_latency(const PipelineLimits& limits, const Deadline& deadline) const;
  // The same with requests shared so that replicas of a stage are equally busy, where that makes neither the
  // period longer nor the latency longer than so many seconds.
  Placement even_out(const Placement& placement, double latency) const;

 private:
  template <typename Relaxed>
  FoundPipeline branch(double period, const Deadline& deadline, const Relaxed& relaxed, bool any) const;

  PipelineTables tables_;
};

}  // namespace lamina
