// How the replicas of a pipeline's stages share its requests.
//
// What keeps a machine busy is its share times a sum over the shares of those that it sends to, or receives
// from. As if requests could be routed at will all of that is linear (share_program.h), which bounds the
// period from below: exactly where no two stages that follow each other have several replicas. Elsewhere
// shares are improved from there in linear steps, and bounds of shares are divided until the period is met or
// proven to be impossible (spatial branch and bound).
#pragma once

#include "plan/share_loads.h"
#include "plan/share_program.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

class SharedPipeline {
 public:
  // As for share_loads_of(); `problem` must outlive it.
  SharedPipeline(const PlacementProblem& problem, const DeviceKinds& kinds, std::vector<PlacedStage> stages,
                 std::size_t return_wire);

  // Seconds: no shares have a shorter period.
  double period_bound() const;
  // The same of the latency, seconds, of shares that keep a period.
  double latency_bound(double period) const;
  // Of whole pipelines: shares within a period, as short a one as is met. Looks at so many boxes of shares
  // at most, and takes them off.
  struct Within {
    std::optional<Placement> placement;
    bool proven = true;  // that there are none, where there are none
  };
  Within find_within(double period, std::size_t& looks) const;
  // The least latency met within a period; nothing where no shares within it are met.
  std::optional<Placement> least_latency(double period, std::size_t& looks) const;
  // From the shares that the stages came with: each stage's devices are kept equally busy, where that makes
  // neither the period longer nor the latency longer than that, seconds.
  Placement even_out(double latency) const;

 private:
  std::optional<std::vector<double>> shares_within(double period, std::size_t& looks, bool& proven) const;
  std::vector<double> improve(std::vector<double> shares, const ShareGoal& goal) const;
  std::vector<double> even_out_stage(std::vector<double> shares, std::size_t stage) const;
  Placement place(const std::vector<double>& shares) const;

  const PlacementProblem& problem_;
  const DeviceKinds& kinds_;
  std::vector<PlacedStage> stages_;
  std::size_t return_wire_;
  ShareLoads loads_;
};

}  // namespace lamina
