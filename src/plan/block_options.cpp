#include "plan/block_options.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace lamina {

namespace {

class OptionSearch {
 public:
  OptionSearch(const PlacementProblem& problem, const PlanBlock& block, std::size_t from, std::size_t to,
               std::size_t few, std::size_t most)
      : problem_(problem), block_(block), from_(from), to_(to), few_(few), left_(most) {
    order_branches();
    groups_.resize(problem.devices.size());
    for (std::size_t device = 0; device < groups_.size(); ++device) groups_[device].device = device;
  }

  BlockOptions run() {
    assign(0, 0);
    std::sort(found_.best.begin(), found_.best.end(), faster);
    return std::move(found_);
  }

 private:
  static bool faster(const BlockOption& a, const BlockOption& b) { return a.seconds < b.seconds; }

  // The longest first: they decide.
  void order_branches() {
    order_.resize(block_.branches.size());
    std::iota(order_.begin(), order_.end(), std::size_t{0});
    const auto least = [&](std::size_t branch) {
      double seconds = std::numeric_limits<double>::infinity();
      for (const PieceCost& cost : block_.branches[branch].cost) seconds = std::min(seconds, cost.seconds);
      return seconds;
    };
    std::stable_sort(order_.begin(), order_.end(),
                     [&](std::size_t a, std::size_t b) { return least(a) > least(b); });
  }

  // `bound`: no way that goes on from here takes less.
  void assign(std::size_t depth, double bound) {
    if (depth == order_.size()) {
      keep();
      return;
    }
    for (BranchGroup& group : groups_) {
      group.branches.push_back(order_[depth]);
      const double least = std::max(bound, seconds_alone(problem_, block_, from_, group, to_));
      if (!std::isfinite(least)) {
        // Neither this way nor any that goes on from it can be.
      } else if (left_ == 0 || least >= worst()) {
        found_.others = std::min(found_.others, least);
      } else {
        --left_;
        assign(depth + 1, least);
      }
      group.branches.pop_back();
    }
  }

  // What a way has to beat to be kept.
  double worst() const {
    return found_.best.size() < few_ ? std::numeric_limits<double>::infinity() : found_.best.front().seconds;
  }

  void keep() {
    BlockOption option;
    for (const BranchGroup& group : groups_) {
      if (!group.branches.empty()) option.groups.push_back(group);
    }
    if (option.groups.size() < 2) return;
    for (BranchGroup& group : option.groups) std::sort(group.branches.begin(), group.branches.end());
    order_groups(problem_, block_, from_, option.groups, to_);
    option.seconds = time_block(problem_, block_, from_, option.groups, to_).joined;
    if (!std::isfinite(option.seconds)) return;
    auto& best = found_.best;
    if (best.size() == few_) {
      // A heap with the slowest in front.
      const double lost = std::max(best.front().seconds, option.seconds);
      found_.others = std::min(found_.others, lost);
      if (option.seconds >= best.front().seconds) return;
      std::pop_heap(best.begin(), best.end(), faster);
      best.pop_back();
    }
    best.push_back(std::move(option));
    std::push_heap(best.begin(), best.end(), faster);
  }

  const PlacementProblem& problem_;
  const PlanBlock& block_;
  std::size_t from_;
  std::size_t to_;
  std::size_t few_;
  std::size_t left_;
  std::vector<std::size_t> order_;   // of the branches
  std::vector<BranchGroup> groups_;  // by device
  BlockOptions found_;
};

}  // namespace

BlockOptions find_block_options(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                                std::size_t to, std::size_t few, std::size_t most) {
  return OptionSearch(problem, block, from, to, few, most).run();
}

}  // namespace lamina
