#include "plan/least_latency_branches.h"

#include "plan/branch_tables.h"
#include "plan/problem_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <queue>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
// Of each block, ways tried on top of the placement without branches.
constexpr std::size_t kTried = 200;
// Figures that differ by less are the same: they are sums in different orders.
constexpr double kSame = 1e-12;

// One step of a placement: from the end of a piece on a device, or from the source.
struct Taken {
  std::size_t pieces = 0;
  std::size_t device = 0;
  BranchStep step;
};

std::vector<PlacedStage> stages_of(const PlacementProblem& problem, const BranchTables& tables,
                                   const std::vector<Taken>& way) {
  std::vector<PlacedStage> stages;
  for (const Taken& taken : way) {
    std::size_t piece = taken.pieces;
    const bool as_pieces = taken.step.option == BranchStep::kPieces;
    if (!as_pieces) {
      const PlanBlock& block = *tables.block_at(piece);
      const BlockOption& option =
          tables.options(piece, taken.device, taken.step.device).best[taken.step.option];
      for (const BranchGroup& group : option.groups) {
        PlacedStage& stage = stages.emplace_back();
        stage.replicas = {{group.device}};
        stage.first_piece = block.first_piece;
        stage.end_piece = block.end_piece;
        stage.branches = group.branches;
      }
      piece = block.end_piece;
    }
    if (piece == problem.pieces.size()) break;
    const bool goes_on = as_pieces && piece > 0 && taken.device == taken.step.device;
    if (!goes_on) stages.push_back({{{taken.step.device}}, piece, piece});
    stages.back().end_piece = piece + 1;
  }
  return stages;
}

// A placement of the first pieces.
struct Label {
  double latency = 0;
  double bound = 0;  // with the least that is to come
  std::size_t parent = kNone;
  std::size_t pieces = 0;
  std::size_t device = 0;
  BranchStep step;        // that led here
  bool building = false;  // a stage is being built, on `device`
  // Of that stage: fixed for good, and the greatest activations, which a later piece may
  // exceed.
  std::uint64_t fixed = 0;
  std::uint64_t activations = 0;
  std::uint64_t required = 0;            // devices that have to be used and are, as bits
  std::vector<std::uint64_t> committed;  // by device, of stages that are built
};

class BranchSearch {
 public:
  BranchSearch(const PlacementProblem& problem, std::optional<PlannedPlacement> chain,
               const BranchPlannerOptions& options)
      : problem_(problem),
        options_(options),
        deadline_(options.time_limit),
        devices_(problem.devices.size()),
        pieces_(problem.pieces.size()),
        tables_(problem, options.max_options, deadline_),
        fronts_((pieces_ + 1) * devices_) {
    if (chain) consider(std::move(chain->placement));
    std::size_t count = 0;
    for (const PlanDevice& device : problem.devices)
      required_.push_back(device.required ? std::uint64_t{1} << (count++ % 64) : 0);
    for (const std::uint64_t bit : required_) all_required_ |= bit;
  }

  std::optional<PlannedPlacement> run() {
    if (!tables_.is_whole()) return answer(0);
    const double least = tables_.to_come(0, problem_.source);
    if (try_least()) return answer(least);
    split_blocks_of_best();
    return answer(search());
  }

 private:
  std::optional<PlannedPlacement> answer(double lower_bound) {
    if (!best_) return std::nullopt;
    const double latency = best_->latency;
    const double bound = lower_bound >= latency * (1 - kSame) ? latency : lower_bound;
    return PlannedPlacement{std::move(*best_), bound, bound == latency, labels_.size()};
  }

  bool consider(Placement placement) {
    if (!is_feasible(problem_, placement)) return false;
    if (best_ && !(placement.latency < best_->latency * (1 - kSame))) return false;
    best_ = std::move(placement);
    return true;
  }

  double best_latency() const { return best_ ? best_->latency : std::numeric_limits<double>::infinity(); }

  // The fastest placement whatever memory it takes, where it fits.
  bool try_least() {
    std::vector<Taken> way;
    std::size_t pieces = 0;
    std::size_t device = problem_.source;
    while (pieces < pieces_) {
      if (!tables_.has_step(pieces, device) || !std::isfinite(tables_.to_come(pieces, device))) return false;
      const BranchStep step = tables_.step(pieces, device);
      way.push_back({pieces, device, step});
      const bool as_pieces = step.option == BranchStep::kPieces;
      const std::size_t reached = as_pieces ? pieces : tables_.block_at(pieces)->end_piece;
      pieces = std::min(reached + 1, pieces_);
      device = step.device;
    }
    const Placement placement = evaluate_stages(problem_, stages_of(problem_, tables_, way));
    if (!is_feasible(problem_, placement)) return false;
    consider(placement);
    return true;
  }

  // The best placement so far with one block after another shared out where that is faster.
  void split_blocks_of_best() {
    for (const PlanBlock& block : problem_.blocks) {
      if (!best_) return;
      const std::optional<Placement> before = best_;
      const std::size_t from =
          block.first_piece == 0 ? problem_.source : device_of(*before, block.first_piece - 1);
      const std::size_t to =
          block.end_piece == pieces_ ? problem_.source : device_of(*before, block.end_piece);
      const std::vector<BlockOption>& ways = tables_.options(block.first_piece, from, to).best;
      for (std::size_t way = 0; way < std::min(ways.size(), kTried); ++way) {
        if (consider(evaluate_stages(problem_, split(before->stages, block, ways[way])))) break;
      }
    }
  }

  static std::size_t device_of(const Placement& placement, std::size_t piece) {
    for (const PlacedStage& stage : placement.stages) {
      if (piece >= stage.first_piece && piece < stage.end_piece) return stage.replicas.front().device;
    }
    return kNone;
  }

  // The stages with the block cut out of them and shared out.
  static std::vector<PlacedStage> split(const std::vector<PlacedStage>& stages, const PlanBlock& block,
                                        const BlockOption& option) {
    std::vector<PlacedStage> result;
    bool done = false;
    for (const PlacedStage& stage : stages) {
      const auto part = [&](std::size_t first, std::size_t end) {
        if (first >= end) return;
        PlacedStage& kept = result.emplace_back(stage);
        kept.first_piece = first;
        kept.end_piece = end;
      };
      if (stage.end_piece <= block.first_piece || stage.first_piece >= block.end_piece) {
        result.push_back(stage);
        continue;
      }
      part(stage.first_piece, block.first_piece);
      for (const BranchGroup& group : option.groups) {
        if (done) break;
        PlacedStage& branches = result.emplace_back();
        branches.replicas = {{group.device}};
        branches.first_piece = block.first_piece;
        branches.end_piece = block.end_piece;
        branches.branches = group.branches;
      }
      done = true;
      part(block.end_piece, stage.end_piece);
    }
    return result;
  }

  // Best-first; the bound that it proves.
  double search() {
    const auto later = [this](std::size_t a, std::size_t b) {
      const Label& x = labels_[a];
      const Label& y = labels_[b];
      if (x.bound != y.bound) return x.bound > y.bound;
      if (x.pieces != y.pieces) return x.pieces < y.pieces;
      return a > b;
    };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> open(later);
    const auto push = [&](Label label) {
      if (!keep(label)) return;
      labels_.push_back(std::move(label));
      fronts_[front_of(labels_.back())].push_back(labels_.size() - 1);
      open.push(labels_.size() - 1);
    };
    Label start;
    start.device = problem_.source;
    start.committed.assign(devices_, 0);
    start.bound = tables_.to_come(0, problem_.source);
    push(std::move(start));
    while (!open.empty()) {
      const std::size_t current = open.top();
      open.pop();
      const double bound = labels_[current].bound;
      if (bound >= best_latency() * (1 - kSame)) break;
      if (labels_.size() > options_.max_labels || deadline_.passed()) return std::min(bound, lost_);
      if (is_dropped(current)) continue;
      if (labels_[current].pieces == pieces_) {
        finish(current);
        continue;
      }
      for (std::size_t device = 0; device < devices_; ++device) {
        if (auto next = with_piece(current, device)) push(std::move(*next));
      }
      if (tables_.block_at(labels_[current].pieces) == nullptr) continue;
      for (std::size_t to = 0; to < devices_; ++to) share_out(current, to, push);
    }
    return std::min(best_latency(), lost_);
  }

  std::size_t front_of(const Label& label) const { return label.pieces * devices_ + label.device; }

  // What device `device` holds, the stage that is being built included.
  static std::uint64_t held(const Label& label, std::size_t device, bool with_activations) {
    std::uint64_t bytes = label.committed[device];
    if (device == label.device) bytes += label.fixed + (with_activations ? label.activations : 0);
    return bytes;
  }

  bool dominates(const Label& a, const Label& b) const {
    if (a.latency > b.latency || (a.required & b.required) != b.required) return false;
    for (std::size_t device = 0; device < devices_; ++device) {
      if (held(a, device, false) > held(b, device, false) || held(a, device, true) > held(b, device, true))
        return false;
    }
    return true;
  }

  bool keep(const Label& label) {
    if (!(label.bound < best_latency() * (1 - kSame))) return false;
    auto& front = fronts_[front_of(label)];
    if (std::any_of(front.begin(), front.end(),
                    [&](std::size_t id) { return dominates(labels_[id], label); }))
      return false;
    std::erase_if(front, [&](std::size_t id) { return dominates(label, labels_[id]); });
    return true;
  }

  bool is_dropped(std::size_t id) const {
    const auto& front = fronts_[front_of(labels_[id])];
    return std::find(front.begin(), front.end(), id) == front.end();
  }

  bool fits(const Label& label, std::size_t device) const {
    return held(label, device, true) <= problem_.devices[device].memory_budget;
  }

  // Ends the stage that is being built, if there is one.
  bool end_stage(Label& label) const {
    if (!label.building) return true;
    label.building = false;
    label.committed[label.device] += label.fixed + label.activations + problem_.cut_bytes[label.pieces];
    label.fixed = label.activations = 0;
    return label.committed[label.device] <= problem_.devices[label.device].memory_budget;
  }

  // Begins a stage with piece label.pieces; false where it does not fit.
  bool begin_stage(Label& label, std::size_t device) const {
    label.device = device;
    label.building = true;
    label.fixed = problem_.waiting_inputs * problem_.cut_bytes[label.pieces];
    label.activations = 0;
    label.latency += problem_.devices[device].wake;
    return add_piece(label);
  }

  bool add_piece(Label& label) const {
    const PieceCost& cost = problem_.cost[label.device][label.pieces];
    label.fixed += cost.weight_bytes;
    label.activations = std::max(label.activations, cost.activation_bytes);
    label.latency += cost.seconds;
    label.required |= required_[label.device];
    ++label.pieces;
    label.bound = label.latency + tables_.to_come(label.pieces, label.device);
    if (!std::isfinite(label.bound) || !fits(label, label.device)) return false;
    if (label.pieces < pieces_) return true;
    Label ended = label;
    return end_stage(ended);
  }

  std::optional<Label> with_piece(std::size_t from, std::size_t device) const {
    Label label = labels_[from];
    label.parent = from;
    label.step = {BranchStep::kPieces, device};
    if (label.pieces > 0 && device == label.device)
      return add_piece(label) ? std::optional(std::move(label)) : std::nullopt;
    label.latency += hop_cost(problem_, label.device, device, label.pieces).seconds();
    if (!std::isfinite(label.latency) || !end_stage(label) || !begin_stage(label, device))
      return std::nullopt;
    return label;
  }

  // The block that follows in all its ways, and the piece behind it on `to`.
  template <typename Push>
  void share_out(std::size_t from, std::size_t to, Push push) {
    const PlanBlock& block = *tables_.block_at(labels_[from].pieces);
    const BlockOptions& ways = tables_.options(block.first_piece, labels_[from].device, to);
    const double behind = tables_.from_join(block.end_piece, to);
    lost_ = std::min(lost_, labels_[from].latency + ways.others + behind);
    for (std::size_t way = 0; way < ways.best.size(); ++way) {
      if (labels_[from].latency + ways.best[way].seconds + behind >= best_latency() * (1 - kSame)) break;
      Label label = labels_[from];
      label.parent = from;
      label.step = {way, to};
      label.latency += ways.best[way].seconds;
      if (!end_stage(label) || !hold_branches(label, block, ways.best[way])) continue;
      label.pieces = block.end_piece;
      if (block.end_piece == pieces_) {
        label.device = to;
        label.bound = label.latency;
        // As of all labels at the end, without the way back.
        label.latency -= tables_.to_come(pieces_, to);
      } else if (!begin_stage(label, to)) {
        continue;
      }
      push(std::move(label));
    }
  }

  bool hold_branches(Label& label, const PlanBlock& block, const BlockOption& option) const {
    for (const BranchGroup& group : option.groups) {
      label.required |= required_[group.device];
      label.committed[group.device] += branches_memory(problem_, block, group.device, group.branches);
      if (label.committed[group.device] > problem_.devices[group.device].memory_budget) return false;
    }
    return true;
  }

  void finish(std::size_t id) {
    if (labels_[id].required != all_required_) return;
    std::vector<Taken> way;
    for (std::size_t at = id; labels_[at].parent != kNone; at = labels_[at].parent) {
      const Label& before = labels_[labels_[at].parent];
      way.push_back({before.pieces, before.device, labels_[at].step});
    }
    std::reverse(way.begin(), way.end());
    consider(evaluate_stages(problem_, stages_of(problem_, tables_, way)));
  }

  const PlacementProblem& problem_;
  BranchPlannerOptions options_;
  Deadline deadline_;
  std::size_t devices_;
  std::size_t pieces_;
  BranchTables tables_;
  std::optional<Placement> best_;
  std::vector<std::uint64_t> required_;  // by device, its bit
  std::uint64_t all_required_ = 0;
  std::vector<Label> labels_;
  std::vector<std::vector<std::size_t>>
      fronts_;  // by pieces and device, labels none of which dominates another
  double lost_ = std::numeric_limits<double>::infinity();  // of ways that were not looked at
};

}  // namespace

std::optional<PlannedPlacement> find_least_latency_with_branches(const PlacementProblem& problem,
                                                                 std::optional<PlannedPlacement> chain,
                                                                 const BranchPlannerOptions& options) {
  expect_sound(problem);
  return BranchSearch(problem, std::move(chain), options).run();
}

}  // namespace lamina
