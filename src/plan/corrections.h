// What stages took as they ran, against what their pieces had promised: for planning again.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// A replica of a stage, as it ran.
struct ReplicaRun {
  double seconds = 0;            // one request alone, waking included
  double busy_seconds = 0;       // the thread that computes, with many requests under way
  double processor_seconds = 0;  // then all threads of its worker, for a request of the whole pipeline
};

// [stage][replica], in the order of a placement.
using StageRuns = std::vector<std::vector<ReplicaRun>>;

// Engines fuse what a stage has together, and what runs beside a stage slows it: a stage is rarely the sum of
// its pieces, or branches. How often longer or shorter it was is taken to hold for each of them on that
// device; for one that has not run on a device, the mean over the devices where it has, and else over all
// that ran.
class Corrections {
 public:
  // `problem` is as it was measured piece by piece, the placement one of it. A later run counts more than an
  // earlier one of the same piece or branch on the same device.
  void learn(const PlacementProblem& problem, const Placement& placement, const StageRuns& runs);
  // To a problem of the same devices, pieces and blocks as those learnt from.
  void apply(PlacementProblem& problem) const;

 private:
  // As often longer as its pieces promised.
  struct Factors {
    double alone = 1;
    double steady = 1;
  };
  // [device][number]: the pieces, then the branches of one block after another
  using Known = std::vector<std::vector<std::optional<Factors>>>;

  Factors factors_of(std::size_t device, std::size_t number) const;

  Known known_;
};

}  // namespace lamina
