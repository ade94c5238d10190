// A part of all placements in a proof, and what can be said of it alone.
#pragma once

#include "base/clock.h"
#include "base/parallel.h"
#include "plan/memory_pools.h"
#include "plan/stage_graph.h"

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <vector>

namespace lamina {

struct StageProofLimits {
  std::size_t few_stages = 200;      // of parts that are searched to their end, if that is near
  std::size_t narrow_width = 8;      // of searches for better placements in other parts
  std::size_t max_labels = 100'000;  // of a search where nothing is left to be split
  std::size_t threads = all_processors();
};

struct PricedPools {
  std::vector<MemoryPool> pools;
  std::vector<double> prices;  // by pool and measure
};

// Placements that have some stages on certain machines. Stages are indices into one list.
struct Family {
  std::vector<std::uint32_t> stages;  // those fixed, and all that may come between them
  FixedStages fixed;
  PricedPools memory;  // with good prices

  // Memory as the last part with its stage on that device left it, by device. Prices that are good there are
  // good for the next one, too.
  struct Left {
    PricedPools memory;
    std::uint64_t free = 0;  // on the device
  };
  std::map<std::size_t, Left> last = {};
};

// Those of a family that have one more stage on the device of a pool; or all of it.
struct Part {
  double bound = 0;  // none is faster
  std::shared_ptr<Family> family;
  std::uint32_t stage = StageGraph::kUnlisted;
  MemoryPool pool = {};  // before the stage
};

struct PartOutcome {
  // Where it has to be split, what is left of it, with bounds of chains through these stages, and the piece
  // by whose stages it is split.
  std::optional<Family> left;
  std::vector<double> chains;
  std::size_t piece = 0;
  double bound = 0;
  bool is_open = false;  // whether it could be neither settled nor split

  PricedPools memory;                  // in any case, with good prices
  std::optional<Placement> placement;  // the fastest that was met, faster than was known
  std::size_t labels = 0;              // partial placements looked at
};

// Looks for placements of the part faster than `known`. Several parts may be looked at at once.
PartOutcome look_at(const Part& part, const StageCosts& costs, const StageGraph::Stages& listed, double known,
                    const StageProofLimits& limits, const Deadline& deadline);

// What has to be known of a part that was looked at when the next of its family is.
void remember(const Part& part, PartOutcome& outcome, const StageGraph::Stages& listed);

}  // namespace lamina
