// Placements built stage by stage, from the first cut to the last, as widely as one likes.
#pragma once

#include "base/clock.h"
#include "plan/memory_pools.h"
#include "plan/stage_bound.h"

#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

namespace lamina {

struct StageSearchLimits {
  std::size_t width = 1;       // partial placements followed from each cut
  std::size_t max_labels = 1;  // of all cuts
  // Only placements faster than this are wanted.
  double faster_than = std::numeric_limits<double>::infinity();
};

struct StageSearchResult {
  std::optional<Placement> placement;  // the fastest that was met
  bool complete = false;               // whether there is no faster one than this (or than was wanted)
  std::size_t labels = 0;              // partial placements followed
};

// Of the partial placements of stages of the bound's graph that end at a cut, those are followed that promise
// the least latency by `bound` (solved; any prices do), less those that another on the same machine beats in
// time and in the memory of every machine. Machines of one kind are exchangeable: what counts is how much
// each holds, not which it is. Everything is decided by figures and the order of machines, so the answer is
// always the same, unless the deadline cuts it short. More than 63 machines that have to be used are
// Error(unsupported).
//
// The bound's graph has each of the fixed stages, and none that overlaps one. `complete` tells then of the
// placements that have them. One that the search finds may be faster still: where a stage comes next to a
// fixed one on the same machine, the two are one.
StageSearchResult search_stages(const StageBound& bound, const StageSearchLimits& limits,
                                const Deadline& deadline, const FixedStages& fixed = {});

}  // namespace lamina
