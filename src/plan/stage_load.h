// What the stages of a group of devices keep busy, as sums that are looked up.
#pragma once

#include "plan/cost_model.h"
#include "plan/cut_set.h"

#include <cstddef>
#include <vector>

namespace lamina {

class StageLoad {
 public:
  StageLoad(const PlacementProblem& problem, const std::vector<Replica>& replicas);

  // By first piece, the ends of stages that keep nothing busy for longer than `period`, where what comes in
  // travels in wire `input` and what goes on in `output`. Of the ends in fits[first].
  std::vector<CutSet> ends_within(double period, std::size_t input, std::size_t output,
                                  const std::vector<CutSet>& fits) const;

 private:
  // One that a request keeps busy: the thread of a replica that computes, or all its processors. Seconds.
  struct Servant {
    std::vector<double> pieces;               // Σ before a cut, of pieces that can run
    std::vector<std::vector<double>> input;   // [wire][cut]
    std::vector<std::vector<double>> output;  // [wire][cut]
  };
  std::vector<Servant> servants_;
};

}  // namespace lamina
