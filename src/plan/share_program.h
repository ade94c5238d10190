// Linear programs over the shares of replicas.
#pragma once

#include "plan/share_loads.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

struct ShareGoal {
  // The least latency within this period, seconds; otherwise the shortest period.
  std::optional<double> within = {};
};

// Bounds of shares, by party.
struct ShareBox {
  std::vector<double> least;
  std::vector<double> most;
};

// Products of two shares are figures of their own, as if every sender could choose for each request whom it
// sends it to; within a box they can't be far from what they stand for.
struct RoutedShares {
  std::vector<double> shares;  // by party; empty where there are none, or rounding was in the way
  double least = 0;            // no shares have a figure below, seconds; infinite where there are none
  bool exact = true;           // there are no such products: the shares have just this figure
  // Otherwise the party that a product furthest from its shares' is of.
  std::size_t furthest = 0;
};
// `box`: that the shares have to be in, if any.
RoutedShares route(const ShareLoads& loads, const ShareGoal& goal, const ShareBox* box = nullptr);

// All that shares may be.
ShareBox whole_box(const ShareLoads& loads);

// The best of shares that are at most `step` from those given, with products replaced by their slope there;
// empty where none are met.
std::vector<double> step_from(const ShareLoads& loads, const std::vector<double>& shares, double step,
                              const ShareGoal& goal);

}  // namespace lamina
