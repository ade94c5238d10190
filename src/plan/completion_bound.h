// The least that a partial placement still costs, for the search and for prices of memory.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <vector>

namespace lamina {

// What a stage that begins with `piece` on `to` costs besides its pieces.
double way_into(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t piece);

// Least time plus price of memory to the end, budgets left aside: by dynamic programming, in pieces ×
// devices² steps. Priced is what a placement certainly takes: weights of its pieces, input and output of its
// stages; not activations.
class CompletionBound {
 public:
  // `prices`: seconds a byte, by device; all 0 for time alone.
  CompletionBound(const PlacementProblem& problem, const std::vector<double>& prices);

  // After `pieces` pieces of which the last ran on `device`; the output of its stage is still to be paid for.
  double at(std::size_t pieces, std::size_t device) const { return bound_[pieces * devices_ + device]; }
  // Of the whole, from the source and back to it.
  double from_start() const { return from_start_; }
  // The devices of the pieces of a placement that costs from_start(). Only if that is finite.
  std::vector<std::size_t> cheapest() const;

 private:
  std::size_t devices_;
  std::size_t pieces_;
  std::vector<double> bound_;
  std::vector<std::size_t> next_;  // where the next piece goes
  double from_start_;
  std::size_t first_ = 0;
};

}  // namespace lamina
