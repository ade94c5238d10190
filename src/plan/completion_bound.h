// The fastest there is where memory is left aside.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <vector>

namespace lamina {

// What a stage that begins with `piece` on `to` costs besides its pieces.
double way_into(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t piece);

// By dynamic programming, in pieces × devices² steps. Devices that have to be used are left aside too.
class CompletionBound {
 public:
  explicit CompletionBound(const PlacementProblem& problem);

  // Seconds of the whole, from the source and back to it; infinite where there is no way.
  double from_start() const { return from_start_; }
  // The devices of the pieces of a placement that takes from_start(). Only if that is finite.
  std::vector<std::size_t> fastest() const;

 private:
  double at(std::size_t pieces, std::size_t device) const { return bound_[pieces * devices_ + device]; }

  std::size_t devices_;
  std::size_t pieces_;
  std::vector<double> bound_;      // [pieces placed][device of the last]: what is to come
  std::vector<std::size_t> next_;  // the device of the next piece
  double from_start_;
  std::size_t first_ = 0;
};

}  // namespace lamina
