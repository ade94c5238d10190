// What any stage takes of a machine, looked up rather than added up.
#pragma once

#include "plan/cost_model.h"
#include "plan/range_maximum.h"

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lamina {

// Of stages without replicas and branches: pieces [first, end) on a device. The problem has to outlive it.
class StageSums {
 public:
  explicit StageSums(const PlacementProblem& problem);

  const PlacementProblem& problem() const { return *problem_; }
  // Where the first piece from `first` on begins that can't run on the device, or the end of all.
  std::size_t runs_until(std::size_t device, std::size_t first) const {
    return devices_[device].runs_until[first];
  }
  // Of its pieces alone, all of which run there. Seconds, to some 1e-16 of what all pieces take there.
  StageWork work(std::size_t device, std::size_t first, std::size_t end) const {
    const OfDevice& of = devices_[device];
    return {of.computing[end] - of.computing[first], of.processors[end] - of.processors[first]};
  }
  // Weights and activations, bytes.
  std::uint64_t own_memory(std::size_t device, std::size_t first, std::size_t end) const {
    const OfDevice& of = devices_[device];
    return of.weights[end] - of.weights[first] + of.activations.most(first, end);
  }
  // As stage_memory().
  std::uint64_t memory(std::size_t device, std::size_t first, std::size_t end) const {
    return own_memory(device, first, end) + problem_->waiting_inputs * problem_->cut_bytes[first] +
           problem_->cut_bytes[end];
  }

 private:
  struct OfDevice {
    // By cut: Σ over the pieces before, of those that run there.
    std::vector<double> computing;
    std::vector<double> processors;
    std::vector<std::uint64_t> weights;
    RangeMaximum activations;
    std::vector<std::size_t> runs_until;
  };
  static OfDevice sums_of(const PlacementProblem& problem, std::size_t device);

  const PlacementProblem* problem_;
  std::vector<OfDevice> devices_;
};

}  // namespace lamina
