#include "plan/proof_part.h"

#include "plan/best_prices.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kAllStages = std::numeric_limits<std::size_t>::max();
constexpr PriceLimits kPriceLimits = {30, 0.01};
constexpr StageSearchLimits kWholeSearch = {2000, 3000};
// A stage whose best chain is slower by this share of the bound weighs e times less where parts are split.
constexpr double kDecay = 0.003;

// Prices for pools that are the same but for one machine of the kind, which had so much free.
std::vector<double> adapt_prices(const PricedPools& known, std::size_t kind, std::uint64_t free,
                                 const std::vector<MemoryPool>& pools) {
  const std::size_t measures = known.prices.size() / known.pools.size();
  const auto find = [&](std::size_t of_kind, std::uint64_t of_free) {
    return std::find_if(known.pools.begin(), known.pools.end(),
                        [&](const MemoryPool& pool) { return pool.kind == of_kind && pool.free == of_free; });
  };
  std::vector<double> prices;
  for (const MemoryPool& pool : pools) {
    auto like = find(pool.kind, pool.free);
    double times = 1;  // a price is of all that is free of a machine
    if (like == known.pools.end()) {
      like = find(kind, free);
      if (free > 0) times = static_cast<double>(pool.free) / static_cast<double>(free);
    }
    const std::size_t first = static_cast<std::size_t>(like - known.pools.begin()) * measures;
    for (std::size_t i = first; i < first + measures; ++i) prices.push_back(known.prices[i] * times);
  }
  return prices;
}

// What is left of the family with the part's stage on its device.
Family fix(const Part& part, const StageCosts& costs, const std::vector<StageGraph::Stage>& listed) {
  const Family& family = *part.family;
  if (part.stage == StageGraph::kUnlisted) return family;
  const StageGraph::Stage& stage = listed[part.stage];
  Family left;
  left.fixed = family.fixed;
  left.fixed[stage.first] = {part.pool.device, stage.bytes};
  left.memory.pools = memory_pools(costs, left.fixed);
  std::vector<std::uint64_t> most_free(costs.kinds(), 0);
  for (const MemoryPool& pool : left.memory.pools)
    most_free[pool.kind] = std::max(most_free[pool.kind], pool.free);
  for (const std::uint32_t index : family.stages) {
    const StageGraph::Stage& other = listed[index];
    const bool overlaps = other.first < stage.end && stage.first < other.end;
    const bool stays = overlaps ? index == part.stage
                                : other.bytes <= most_free[other.kind] || family.fixed.contains(other.first);
    if (stays) left.stages.push_back(index);
  }
  const auto last = family.last.find(part.pool.device);
  left.memory.prices =
      last != family.last.end()
          ? adapt_prices(last->second.memory, stage.kind, last->second.free, left.memory.pools)
          : adapt_prices(family.memory, stage.kind, part.pool.free, left.memory.pools);
  return left;
}

// What fixed stages take is gone already.
StageGraph graph_of(const Family& family, const StageCosts& costs,
                    const std::vector<StageGraph::Stage>& listed) {
  std::vector<StageGraph::Stage> stages;
  stages.reserve(family.stages.size());
  for (const std::uint32_t index : family.stages) {
    stages.push_back(listed[index]);
    if (family.fixed.contains(stages.back().first)) stages.back().bytes = 0;
  }
  return StageGraph::of(costs, std::move(stages));
}

// The piece whose stages promise least, few or slow ones; nothing where all are fixed.
std::optional<std::size_t> where_to_split(const StageGraph& graph, const std::vector<double>& chains,
                                          const FixedStages& fixed, double bound) {
  const std::size_t pieces = graph.costs().pieces();
  std::vector<double> weights(pieces + 1, 0);    // how they change from piece to piece
  std::vector<int> fixed_stages(pieces + 1, 0);  // as well
  for (std::size_t i = 0; i < chains.size(); ++i) {
    const StageGraph::Stage& stage = (*graph.listed())[graph.chosen()[i]];
    const double weight = bound > 0 ? std::exp((bound - chains[i]) / (kDecay * bound)) : 1;
    weights[stage.first] += weight;
    weights[stage.end] -= weight;
    if (!fixed.contains(stage.first)) continue;
    ++fixed_stages[stage.first];
    --fixed_stages[stage.end];
  }
  std::optional<std::size_t> best;
  double least = std::numeric_limits<double>::infinity();
  double weight = 0;
  int is_fixed = 0;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    weight += weights[piece];
    is_fixed += fixed_stages[piece];
    if (is_fixed > 0 || weight >= least) continue;
    least = weight;
    best = piece;
  }
  return best;
}

// Whether nothing faster than what is known by now is left in the bound's graph.
bool search(const StageBound& bound, StageSearchLimits limits, const FixedStages& fixed, double& known,
            PartOutcome& outcome, const Deadline& deadline) {
  limits.faster_than = known;
  StageSearchResult found = search_stages(bound, limits, deadline, fixed);
  outcome.labels += found.labels;
  if (found.placement) {
    known = found.placement->latency;
    outcome.placement = std::move(found.placement);
  }
  return found.complete;
}

}  // namespace

PartOutcome look_at(const Part& part, const StageCosts& costs, const StageGraph::Stages& listed, double known,
                    const StageProofLimits& limits, const Deadline& deadline) {
  PartOutcome outcome;
  outcome.labels = 1;
  Family left = fix(part, costs, *listed);
  const StageGraph graph = graph_of(left, costs, *listed);
  StageBound bound(graph, MemoryPrices(costs, left.memory.pools));
  BundleMethod bundle(std::move(left.memory.prices));
  PriceLimits price_limits = kPriceLimits;
  price_limits.known = known;
  raise_prices(bound, bundle, price_limits, deadline);
  left.memory.prices = bundle.prices();
  outcome.memory = left.memory;
  outcome.bound = std::max(part.bound, bound.lower_bound());
  if (bound.lower_bound() >= known) return outcome;
  const StageSearchLimits first_search = graph.chosen().size() <= limits.few_stages
                                             ? kWholeSearch
                                             : StageSearchLimits{limits.narrow_width, limits.max_labels};
  if (search(bound, first_search, left.fixed, known, outcome, deadline)) return outcome;
  const StageGraph hopeful = *bound.without_hopeless(known, kAllStages, &outcome.chains);
  const std::optional<std::size_t> piece = where_to_split(hopeful, outcome.chains, left.fixed, outcome.bound);
  if (!piece) {
    outcome.is_open =
        !search(bound, {limits.max_labels, limits.max_labels}, left.fixed, known, outcome, deadline);
    return outcome;
  }
  std::vector<std::uint32_t> stages;
  for (const std::uint32_t index : hopeful.chosen()) stages.push_back(left.stages[index]);
  left.stages = std::move(stages);
  outcome.piece = *piece;
  outcome.left = std::move(left);
  return outcome;
}

void remember(const Part& part, PartOutcome& outcome, const StageGraph::Stages& listed) {
  if (part.stage == StageGraph::kUnlisted) return;
  part.family->last[part.pool.device] = {std::move(outcome.memory),
                                         part.pool.free - (*listed)[part.stage].bytes};
}

}  // namespace lamina
