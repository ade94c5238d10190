// A placement by rounding the mix of chains that prices lead to.
#pragma once

#include "base/clock.h"
#include "plan/bundle_method.h"
#include "plan/stage_graph.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

struct StageDiveLimits {
  int price_rounds = 40;             // before each decision
  double decided = 0.9;              // a stage of which so much is in the mix is taken
  std::size_t width = 16;            // partial placements followed from each cut
  std::size_t most_stages = 50'000;  // that prices are found for at once, the most promising
  // What is taken is chosen as if shares in the mix were smaller by so much at most, at random: so dives
  // differ.
  double noise = 0;
  unsigned seed = 1;
};

struct StageDive {
  std::optional<Placement> placement;  // the fastest that was met, faster than was known
  std::size_t labels = 0;              // partial placements looked at
};

// A diving heuristic of column generation (M. Lübbecke, J. Desrosiers, "Selected Topics in Column
// Generation", Operations Research 53(6), 2005): the stages that fill most of the mix are taken for good,
// prices adapt to what is left, and so on until all pieces are placed or nothing faster than `known` can come
// of it. A narrow search looks for placements on the way. `bundle` holds good prices for the graph, which has
// to be listed, and the planes that led there. Stages of `kept` are taken from the beginning, as far as the
// graph has them.
StageDive dive(const StageGraph& graph, BundleMethod bundle, double known, const StageDiveLimits& limits,
               const Deadline& deadline, const std::vector<PlacedStage>& kept = {});

}  // namespace lamina
