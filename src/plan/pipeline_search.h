// Pipelines in which every machine runs at most one stage, within a period: whether there is one, and the one
// of least latency. Exact, by dynamic programming over (pieces done, devices taken, devices of the last
// stage).
//
// The recurrence over sets of devices counted by type is that of PipeEdge (Y. Hu et al., "PipeEdge: Pipeline
// Parallelism for Large-Scale Model Inference on Heterogeneous Edge Devices", DSD 2022), here for a given
// period (then a state is a set of cuts, kept as bits), with replicas and with the source's own link shared
// by requests, answers and its stage.
#pragma once

#include "base/clock.h"
#include "plan/cost_model.h"

#include <cstddef>
#include <limits>
#include <memory>
#include <optional>

namespace lamina {

struct PipelineLimits {
  double period = std::numeric_limits<double>::infinity();   // seconds
  double latency = std::numeric_limits<double>::infinity();  // seconds
  std::size_t devices = std::numeric_limits<std::size_t>::max();
};

class PipelineSearch {
 public:
  // Stages have up to `replicas` replicas, or fewer where there would be too many groups of devices; see
  // replicas().
  PipelineSearch(const PlacementProblem& problem, std::size_t replicas);
  ~PipelineSearch();
  PipelineSearch(const PipelineSearch&) = delete;
  PipelineSearch& operator=(const PipelineSearch&) = delete;

  // Whether the problem is small enough; without it nothing else may be called.
  static bool is_small_enough(const PlacementProblem& problem);
  // The replicas a stage may have in this search.
  std::size_t replicas() const;

  // A pipeline within limits.period and limits.devices; limits.latency is left aside. Nothing where there is
  // none. Error(deadline_exceeded) once `deadline` has passed.
  std::optional<Placement> find_any(const PipelineLimits& limits, const Deadline& deadline) const;
  // The one of least latency within all limits.
  std::optional<Placement> find_least_latency(const PipelineLimits& limits, const Deadline& deadline) const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
