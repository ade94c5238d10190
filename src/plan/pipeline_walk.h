// Walks through the pipelines that a recurrence has found, from their last stages to their first.
#pragma once

#include "plan/pipeline_limits.h"
#include "plan/pipeline_tables.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

// The devices of a pipeline that are taken up to a stage, the stage's group and where it ends.
struct PipelineEnd {
  std::size_t state = 0;
  std::size_t group = 0;
  std::size_t cut = 0;
  double after = 0;    // seconds from there to the end of the pipeline, at least
  double latency = 0;  // seconds of all of it, at least
};

// How many parts of pipelines a walk may still look at; where it gave up or could not tell, it is not
// complete. Error(deadline_exceeded) once the time is up.
struct WalkEffort {
  const Deadline& deadline;
  std::size_t looks = 0;
  bool complete = true;
};

class PipelineWalk {
 public:
  // Where the stages before one end, in the order in which they are to be tried.
  using Before = std::function<std::vector<PipelineEnd>(const PipelineEnd& end)>;
  // Is given a pipeline and the wire of its answers; true where that is enough.
  using Visit = std::function<bool(std::vector<PlacedStage> stages, std::size_t return_wire)>;

  // Of the wires of requests those of least `order` are tried first.
  PipelineWalk(const PipelineTables& tables, const PeriodTables& allowed, double FrontEndHop::*order,
               Before before)
      : tables_(tables), allowed_(allowed), order_(order), before_(std::move(before)) {}

  // The first pipeline that ends there.
  std::optional<Placement> first(const PipelineEnd& end);
  // Visits those whose last stages, by themselves, some shares of requests might keep within the period,
  // until one is enough; true where one is.
  bool all_within(double period, const PipelineEnd& end, WalkEffort& effort, Visit visit);

 private:
  bool walk(const PipelineEnd& end);
  bool begin(const PipelineEnd& end);
  bool may_be_within(std::size_t wire);

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  double FrontEndHop::*order_;
  Before before_;
  Visit visit_;
  double period_ = 0;
  WalkEffort* effort_ = nullptr;  // none: everything may be
  std::size_t return_wire_ = 0;
  std::vector<std::pair<std::size_t, std::size_t>> stages_;  // group and first piece, the last one first
};

}  // namespace lamina
