// What stages cost and take, for searches that build a placement stage by stage.
#pragma once

#include "plan/cost_model.h"
#include "plan/replica_groups.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace lamina {

// Machines of one kind are one pool here: a bound prices the memory of the pool, and a search tells them
// apart only by what they hold. Machines that have to be used are kinds of their own. The problem has to
// outlive it.
class StageCosts {
 public:
  explicit StageCosts(const PlacementProblem& problem);

  const PlacementProblem& problem() const { return problem_; }
  std::size_t pieces() const { return pieces_; }
  std::size_t kinds() const { return members_.size(); }
  const std::vector<std::size_t>& members(std::size_t kind) const { return members_[kind]; }
  std::size_t kind_of(std::size_t device) const { return kind_of_[device]; }
  std::uint64_t budget(std::size_t kind) const { return budget_[kind]; }  // of one machine, bytes

  // Seconds from a stage that ends at `cut` into one on another machine, of kind `to`, its wake included, by
  // the kind it comes from; infinite from a kind to itself where there is one machine of it.
  const double* ways_to(std::size_t cut, std::size_t to) const {
    return &ways_[(cut * kinds() + to) * kinds()];
  }
  double way_in(std::size_t kind) const { return way_in_[kind]; }    // from the source
  double way_out(std::size_t kind) const { return way_out_[kind]; }  // back to it

  // Calls visit(end, seconds, bytes) for every stage [first, end) that a machine with so much free memory can
  // hold.
  template <typename Visit>
  void for_each_stage(std::size_t first, std::size_t kind, std::uint64_t room, const Visit& visit) const {
    const std::vector<PieceCost>& costs = problem_.cost[members_[kind].front()];
    const std::uint64_t inputs = problem_.waiting_inputs * problem_.cut_bytes[first];
    double seconds = 0;
    std::uint64_t weights = 0;
    std::uint64_t activations = 0;
    for (std::size_t piece = first; piece < pieces_; ++piece) {
      const PieceCost& cost = costs[piece];
      seconds += cost.seconds;
      weights += cost.weight_bytes;
      activations = std::max(activations, cost.activation_bytes);
      const std::uint64_t held = inputs + weights + activations;
      if (held > room || !std::isfinite(seconds)) return;
      const std::uint64_t bytes = held + problem_.cut_bytes[piece + 1];
      if (bytes <= room) visit(piece + 1, seconds, bytes);
    }
  }

 private:
  const PlacementProblem& problem_;
  std::size_t pieces_;
  std::vector<std::vector<std::size_t>> members_;
  std::vector<std::size_t> kind_of_;  // by device
  std::vector<std::uint64_t> budget_;
  std::vector<double> ways_;
  std::vector<double> way_in_;
  std::vector<double> way_out_;
};

}  // namespace lamina
