// The least that a partial placement still costs, where memory has a price and every stage fits its machine.
#pragma once

#include "plan/memory_prices.h"
#include "plan/stage_graph.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// Least time plus price of memory over chains of stages, by dynamic programming over cuts and kinds of
// machines. Chains may take more of a machine than it has, by several stages that each fit: the prices work
// against that. The graph has to outlive it.
class StageBound {
 public:
  explicit StageBound(const StageGraph& graph) : StageBound(graph, MemoryPrices(graph.costs())) {}
  // With the prices of what fixed stages leave. In the graph these take 0 bytes, and all others fit one of
  // the machines.
  StageBound(const StageGraph& graph, MemoryPrices prices);

  // In starts × kinds + stages steps.
  void solve(std::vector<double> prices);

  const StageGraph& graph() const { return graph_; }
  const MemoryPrices& prices() const { return prices_; }
  // Of the whole, less the price of all memory: no placement of the graph's stages is faster. Infinite where
  // they make up no chain.
  double lower_bound() const { return lower_bound_; }
  // From before a stage on the kind that begins at the cut; the way into it is paid for.
  double entering(std::size_t cut, std::size_t kind) const { return entering_[at(cut, kind)]; }
  // From after a stage on the kind that ends at the cut; the way out of it is still to be paid for.
  double leaving(std::size_t cut, std::size_t kind) const { return leaving_[at(cut, kind)]; }
  // The chain of which lower_bound() tells. Only if that is finite.
  std::vector<StageGraph::Stage> cheapest(std::vector<std::uint32_t>* indices = nullptr) const;

  // What is left of the graph without stages of which every chain is as slow as `known` or slower. Nothing
  // where that is more than `most` stages. `bounds`: the fastest chain through each stage that is left.
  std::optional<StageGraph> without_hopeless(double known, std::size_t most,
                                             std::vector<double>* bounds = nullptr) const;
  // The stages with chains within so many seconds of the bound; within fewer where that is more than `most`.
  StageGraph most_promising(double seconds, std::size_t most) const;

 private:
  std::size_t at(std::size_t cut, std::size_t kind) const { return cut * graph_.costs().kinds() + kind; }
  void enter(std::size_t cut, std::size_t kind);
  void leave(std::size_t cut);
  // Least time plus price up to a stage on the kind, from the ends of stages before.
  double reach(std::size_t cut, std::size_t to, const std::vector<double>& ended) const;

  const StageGraph& graph_;
  MemoryPrices prices_;
  std::vector<double> entering_;  // [cut][kind]
  std::vector<double> leaving_;
  double lower_bound_ = 0;
};

}  // namespace lamina
