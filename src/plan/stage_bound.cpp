#include "plan/stage_bound.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lamina {

namespace {
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kFewer = 0.7;  // of what seemed promising, where that was too much
constexpr double kLeastShare = 1e-6;
}  // namespace

StageBound::StageBound(const StageGraph& graph, MemoryPrices prices)
    : graph_(graph),
      prices_(std::move(prices)),
      entering_((graph.costs().pieces() + 1) * graph.costs().kinds(), kInfinite),
      leaving_(entering_.size(), kInfinite) {
  for (std::size_t kind = 0; kind < graph.costs().kinds(); ++kind)
    leaving_[at(graph.costs().pieces(), kind)] = graph.costs().way_out(kind);
}

void StageBound::enter(std::size_t cut, std::size_t kind) {
  double least = kInfinite;
  graph_.for_each_stage(cut, kind, graph_.costs().budget(kind),
                        [&](std::size_t end, double seconds, std::uint64_t bytes, std::uint32_t) {
                          least = std::min(least, seconds + prices_.of(kind, bytes) + leaving(end, kind));
                        });
  entering_[at(cut, kind)] = least;
}

void StageBound::leave(std::size_t cut) {
  const std::size_t kinds = graph_.costs().kinds();
  double* const before = &leaving_[at(cut, 0)];
  std::fill_n(before, kinds, kInfinite);
  for (std::size_t to = 0; to < kinds; ++to) {
    const double after = entering(cut, to);
    if (after == kInfinite) continue;
    const double* const ways = graph_.costs().ways_to(cut, to);
    for (std::size_t from = 0; from < kinds; ++from)
      before[from] = std::min(before[from], ways[from] + after);
  }
}

void StageBound::solve(std::vector<double> prices) {
  prices_.set(std::move(prices));
  const StageCosts& costs = graph_.costs();
  const std::vector<StageGraph::Start>& starts = graph_.starts();
  for (std::size_t i = starts.size(); i-- > 0;) {
    enter(starts[i].cut, starts[i].kind);
    const bool is_first_of_cut = i == 0 || starts[i - 1].cut != starts[i].cut;
    if (is_first_of_cut && starts[i].cut > 0) leave(starts[i].cut);
  }
  double least = kInfinite;
  for (std::size_t kind = 0; kind < costs.kinds(); ++kind)
    least = std::min(least, costs.way_in(kind) + entering(0, kind));
  lower_bound_ = least - prices_.of_everything();
}

std::vector<StageGraph::Stage> StageBound::cheapest(std::vector<std::uint32_t>* indices) const {
  const StageCosts& costs = graph_.costs();
  std::vector<StageGraph::Stage> stages;
  std::size_t last = 0;
  for (std::size_t cut = 0; cut < costs.pieces(); cut = stages.back().end) {
    std::size_t kind = 0;
    double least = kInfinite;
    for (std::size_t to = 0; to < costs.kinds(); ++to) {
      const double way = cut == 0 ? costs.way_in(to) : costs.ways_to(cut, to)[last];
      if (way + entering(cut, to) < least) least = way + entering(cut, to), kind = to;
    }
    StageGraph::Stage best;
    std::uint32_t best_index = StageGraph::kUnlisted;
    least = kInfinite;
    graph_.for_each_stage(cut, kind, costs.budget(kind),
                          [&](std::size_t end, double seconds, std::uint64_t bytes, std::uint32_t index) {
                            const double cost = seconds + prices_.of(kind, bytes) + leaving(end, kind);
                            if (cost >= least) return;
                            least = cost;
                            best = {static_cast<std::uint32_t>(cut), static_cast<std::uint32_t>(end),
                                    static_cast<std::uint32_t>(kind), seconds, bytes};
                            best_index = index;
                          });
    stages.push_back(best);
    if (indices) indices->push_back(best_index);
    last = kind;
  }
  return stages;
}

double StageBound::reach(std::size_t cut, std::size_t to, const std::vector<double>& ended) const {
  const StageCosts& costs = graph_.costs();
  if (cut == 0) return costs.way_in(to);
  double least = kInfinite;
  const double* const ways = costs.ways_to(cut, to);
  for (std::size_t from = 0; from < costs.kinds(); ++from)
    least = std::min(least, ended[at(cut, from)] + ways[from]);
  return least;
}

std::optional<StageGraph> StageBound::without_hopeless(double known, std::size_t most,
                                                       std::vector<double>* bounds) const {
  const StageCosts& costs = graph_.costs();
  std::vector<double> ended(entering_.size(), kInfinite);
  std::vector<StageGraph::Stage> stages;
  std::vector<std::uint32_t> chosen;
  for (const auto& [cut, kind] : graph_.starts()) {
    if (entering(cut, kind) == kInfinite) continue;
    const double begun = reach(cut, kind, ended);
    if (begun == kInfinite) continue;
    graph_.for_each_stage(cut, kind, costs.budget(kind),
                          [&, first = cut, on = kind](std::size_t end, double seconds, std::uint64_t bytes,
                                                      std::uint32_t index) {
                            const double until_end = begun + seconds + prices_.of(on, bytes);
                            double& least = ended[at(end, on)];
                            least = std::min(least, until_end);
                            const double chain = until_end + leaving(end, on) - prices_.of_everything();
                            if (!(chain < known)) return;
                            if (bounds) bounds->push_back(chain);
                            if (graph_.is_listed()) {
                              chosen.push_back(index);
                            } else {
                              stages.push_back({first, static_cast<std::uint32_t>(end), on, seconds, bytes});
                            }
                          });
    if (stages.size() + chosen.size() > most) return std::nullopt;
  }
  if (graph_.is_listed()) return StageGraph(costs, graph_.listed(), std::move(chosen));
  return StageGraph::of(costs, std::move(stages));
}

StageGraph StageBound::most_promising(double seconds, std::size_t most) const {
  for (double share = 1; share > kLeastShare; share *= kFewer) {
    if (std::optional<StageGraph> graph = without_hopeless(lower_bound_ + share * seconds, most))
      return *std::move(graph);
  }
  return StageGraph::of(graph_.costs(), {});
}

}  // namespace lamina
