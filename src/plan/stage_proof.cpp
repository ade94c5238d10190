#include "plan/stage_proof.h"

#include "plan/best_prices.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <queue>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostWaitingStages = 50'000'000;  // of all graphs that wait: 200 MB
constexpr StageSearchLimits kSmallSearch = {2000, 3000};
constexpr PriceLimits kPriceLimits = {20, 0.02};
constexpr double kUndecided = 1e-3;  // a share of a mix that is no mix

struct Node {
  double bound = 0;
  std::vector<std::uint32_t> stages;
  BundleMethod bundle;
};

struct HigherBound {
  bool operator()(const Node& a, const Node& b) const { return a.bound > b.bound; }
};

class Proof {
 public:
  Proof(const StageGraph& graph, double known, const StageProofLimits& limits, const Deadline& deadline)
      : costs_(graph.costs()), listed_(graph.listed()), known_(known), limits_(limits), deadline_(deadline) {}

  StageProof run(Node root) {
    push(std::move(root));
    for (std::size_t part = 0; part < limits_.most_parts && !nodes_.empty(); ++part) {
      if (deadline_.passed() || waiting_ > kMostWaitingStages) break;
      Node node = pop();
      if (node.bound >= known_) break;  // and so are all others
      settle(std::move(node));
    }
    result_.lower_bound = std::min(known_, unsettled_);
    for (const Node& node : nodes_) result_.lower_bound = std::min(result_.lower_bound, node.bound);
    result_.complete = result_.lower_bound >= known_;
    return std::move(result_);
  }

 private:
  void push(Node node) {
    waiting_ += node.stages.size();
    nodes_.push_back(std::move(node));
    std::push_heap(nodes_.begin(), nodes_.end(), HigherBound());
  }

  Node pop() {
    std::pop_heap(nodes_.begin(), nodes_.end(), HigherBound());
    Node node = std::move(nodes_.back());
    nodes_.pop_back();
    waiting_ -= node.stages.size();
    return node;
  }

  // Whether nothing faster than what is known now is left in the bound's graph.
  bool search(const StageBound& bound, StageSearchLimits limits) {
    limits.faster_than = known_;
    StageSearchResult found = search_stages(bound, limits, deadline_);
    result_.labels += found.labels;
    if (found.placement) {
      known_ = found.placement->latency;
      result_.placement = std::move(found.placement);
    }
    return found.complete;
  }

  // Splits what can't be settled.
  void settle(Node node) {
    const StageGraph whole(costs_, listed_, std::move(node.stages));
    StageBound bound(whole);
    PriceLimits limits = kPriceLimits;
    limits.known = known_;
    raise_prices(bound, node.bundle, limits, deadline_);
    const double least = std::max(node.bound, bound.lower_bound());
    if (bound.lower_bound() >= known_) return;
    const StageGraph graph = *bound.without_hopeless(known_, kInfiniteStages);
    if (graph.chosen().size() <= limits_.small_graph && search(bound, kSmallSearch)) return;
    std::optional<Branch> branch = undecided(node.bundle);
    if (!branch) branch = still_open(graph);
    if (!branch) {
      if (!search(bound, {limits_.max_labels, limits_.max_labels})) unsettled_ = std::min(unsettled_, least);
      return;
    }
    for (const bool there : {true, false}) {
      std::vector<std::uint32_t> stages;
      for (const std::uint32_t index : graph.chosen()) {
        const StageGraph::Stage& stage = (*listed_)[index];
        const bool holds = stage.first <= branch->piece && branch->piece < stage.end;
        if (!holds || (stage.kind == branch->kind) == there) stages.push_back(index);
      }
      if (std::optional<Node> part = make_part(std::move(stages), node.bundle, least)) push(std::move(*part));
    }
  }

  // A part of a graph, with what the whole one's prices say of it.
  std::optional<Node> make_part(std::vector<std::uint32_t> stages, const BundleMethod& bundle,
                                double least) const {
    const StageGraph graph(costs_, listed_, std::move(stages));
    StageBound bound(graph);
    bound.solve(bundle.prices());
    if (bound.lower_bound() >= known_) return std::nullopt;
    const StageGraph narrowed = *bound.without_hopeless(known_, kInfiniteStages);
    Node node{std::max(least, bound.lower_bound()), narrowed.chosen(), bundle};
    node.bundle.keep_planes_of(node.stages);
    return node;
  }

  struct Branch {
    std::uint32_t piece = 0;
    std::uint32_t kind = 0;
  };

  // Where the mix of chains that the prices lead to is least decided.
  std::optional<Branch> undecided(const BundleMethod& bundle) const {
    std::vector<double> mix(costs_.pieces() * costs_.kinds(), 0);
    for (const BundleMethod::Weighted& chain : bundle.planes()) {
      if (chain.weight == 0) continue;
      for (const std::uint32_t index : chain.plane->stages) {
        const StageGraph::Stage& stage = (*listed_)[index];
        for (std::uint32_t piece = stage.first; piece < stage.end; ++piece)
          mix[piece * costs_.kinds() + stage.kind] += chain.weight;
      }
    }
    std::optional<Branch> best;
    double most = kUndecided;
    for (std::size_t piece = 0; piece < costs_.pieces(); ++piece) {
      const auto row = mix.begin() + static_cast<std::ptrdiff_t>(piece * costs_.kinds());
      const auto top = std::max_element(row, row + static_cast<std::ptrdiff_t>(costs_.kinds()));
      const double doubt = std::min(*top, 1 - *top);
      if (doubt <= most) continue;
      most = doubt;
      best = Branch{static_cast<std::uint32_t>(piece), static_cast<std::uint32_t>(top - row)};
    }
    return best;
  }

  // Where the mix is one chain that does not fit (machines of one kind share a pool there): the first piece
  // that stages on two kinds may hold.
  std::optional<Branch> still_open(const StageGraph& graph) const {
    std::vector<std::optional<std::uint32_t>> kind_at(costs_.pieces());
    std::optional<Branch> first;
    for (const std::uint32_t index : graph.chosen()) {
      const StageGraph::Stage& stage = (*listed_)[index];
      for (std::uint32_t piece = stage.first; piece < stage.end; ++piece) {
        if (!kind_at[piece]) kind_at[piece] = stage.kind;
        if (*kind_at[piece] != stage.kind && (!first || piece < first->piece))
          first = Branch{piece, stage.kind};
      }
    }
    return first;
  }

  static constexpr std::size_t kInfiniteStages = std::numeric_limits<std::size_t>::max();

  const StageCosts& costs_;
  StageGraph::Stages listed_;
  double known_;  // the latency to beat
  const StageProofLimits& limits_;
  const Deadline& deadline_;
  std::vector<Node> nodes_;       // a heap, the lowest bound on top
  std::size_t waiting_ = 0;       // stages of `nodes_`
  double unsettled_ = kInfinite;  // the least bound of graphs that could be neither split nor searched
  StageProof result_;
};

}  // namespace

StageProof prove_best(const StageGraph& graph, const BundleMethod& bundle, double known,
                      const StageProofLimits& limits, const Deadline& deadline) {
  return Proof(graph, known, limits, deadline).run({bundle.value(), graph.chosen(), bundle});
}

}  // namespace lamina
