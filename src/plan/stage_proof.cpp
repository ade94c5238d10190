#include "plan/stage_proof.h"

#include "base/parallel.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr std::size_t kMostWaitingStages = 50'000'000;  // of all families that wait: 200 MB
// Parts looked at at once, whatever threads there are, so that the answer does not depend on these.
constexpr std::size_t kAtOnce = 32;

struct HigherBound {
  bool operator()(const Part& a, const Part& b) const { return a.bound > b.bound; }
};

class Proof {
 public:
  Proof(const StageGraph& graph, double known, const StageProofLimits& limits, const Deadline& deadline)
      : costs_(graph.costs()), listed_(graph.listed()), known_(known), limits_(limits), deadline_(deadline) {}

  StageProof run(Part all) {
    waiting_ = all.family->stages.size();
    parts_.push_back(std::move(all));
    while (!parts_.empty() && parts_.front().bound < known_) {
      if (deadline_.passed() || waiting_ > kMostWaitingStages) break;
      std::vector<Part> parts;
      while (parts.size() < kAtOnce && !parts_.empty() && parts_.front().bound < known_)
        parts.push_back(pop());
      settle(parts);
    }
    result_.lower_bound = std::min(known_, open_);
    for (const Part& part : parts_) result_.lower_bound = std::min(result_.lower_bound, part.bound);
    result_.complete = result_.lower_bound >= known_;
    return std::move(result_);
  }

 private:
  Part pop() {
    std::pop_heap(parts_.begin(), parts_.end(), HigherBound());
    Part part = std::move(parts_.back());
    parts_.pop_back();
    if (part.family.use_count() == 1) waiting_ -= part.family->stages.size();
    return part;
  }

  // Splits what can't be settled.
  void settle(const std::vector<Part>& parts) {
    std::vector<PartOutcome> outcomes(parts.size());
    for_each_in_parallel(parts.size(), limits_.threads, [&](std::size_t i) {
      outcomes[i] = look_at(parts[i], costs_, listed_, known_, limits_, deadline_);
    });
    for (std::size_t i = 0; i < parts.size(); ++i) {
      PartOutcome& outcome = outcomes[i];
      remember(parts[i], outcome, listed_);
      result_.labels += outcome.labels;
      if (outcome.placement && outcome.placement->latency < known_) {
        known_ = outcome.placement->latency;
        result_.placement = std::move(outcome.placement);
      }
      if (outcome.is_open) open_ = std::min(open_, outcome.bound);
      if (outcome.left) split(std::move(outcome));
    }
  }

  // By the stage that has the piece, on a machine of each pool.
  void split(PartOutcome outcome) {
    const auto family = std::make_shared<Family>(*std::move(outcome.left));
    waiting_ += family->stages.size();
    for (std::size_t i = 0; i < family->stages.size(); ++i) {
      const StageGraph::Stage& stage = (*listed_)[family->stages[i]];
      if (outcome.piece < stage.first || stage.end <= outcome.piece) continue;
      for (const MemoryPool& pool : family->memory.pools) {
        if (pool.kind != stage.kind || stage.bytes > pool.free) continue;
        parts_.push_back({std::max(outcome.bound, outcome.chains[i]), family, family->stages[i], pool});
        std::push_heap(parts_.begin(), parts_.end(), HigherBound());
      }
    }
  }

  const StageCosts& costs_;
  StageGraph::Stages listed_;
  double known_;  // the latency to beat
  const StageProofLimits& limits_;
  const Deadline& deadline_;
  std::vector<Part> parts_;  // a heap, the lowest bound on top
  std::size_t waiting_ = 0;  // stages of their families
  double open_ = kInfinite;  // the least bound of parts that could be neither settled nor split
  StageProof result_;
};

}  // namespace

StageProof prove_best(const StageGraph& graph, const BundleMethod& bundle, double known,
                      const StageProofLimits& limits, const Deadline& deadline) {
  Family all;
  all.stages = graph.chosen();
  all.memory = {memory_pools(graph.costs()), bundle.prices()};
  return Proof(graph, known, limits, deadline)
      .run({bundle.value(), std::make_shared<Family>(std::move(all))});
}

}  // namespace lamina
