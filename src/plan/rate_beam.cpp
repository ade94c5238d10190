#include "plan/rate_beam.h"

#include "plan/useful_wires.h"

#include <algorithm>
#include <bit>
#include <bitset>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kWidth = 24;      // labels that go on from a cut
constexpr std::size_t kEnds = 6;        // of the longest stages of a device from a cut
constexpr std::size_t kMostEnds = 200;  // finished pipelines looked at
constexpr double kRounding = 1e-10;
constexpr std::size_t kNoParent = std::numeric_limits<std::size_t>::max();

// A pipeline of the first pieces.
struct Label {
  double score = 0;  // price of its devices, and the least that is to come
  double price = 0;
  std::size_t parent = kNoParent;
  std::size_t first = 0;  // of its last stage
  std::size_t cut = 0;    // where that ends
  std::size_t device = 0;
  std::size_t stages = 0;
  std::size_t wire = 0;  // of the hop into the last stage
  StageWork work = {};   // of the last stage, without what sending takes
  std::bitset<kMostBeamDevices> used = {};
};

// The greatest of any range, by the greatest of ranges of 1, 2, 4, … from each place.
class RangeMaximum {
 public:
  explicit RangeMaximum(std::vector<std::uint64_t> values) : levels_{std::move(values)} {
    for (std::size_t length = 1; 2 * length <= levels_.front().size(); length *= 2) {
      const auto& shorter = levels_.back();
      std::vector<std::uint64_t> level;
      for (std::size_t i = 0; i + 2 * length <= levels_.front().size(); ++i)
        level.push_back(std::max(shorter[i], shorter[i + length]));
      levels_.push_back(std::move(level));
    }
  }
  // Of [first, end), which is not empty.
  std::uint64_t most(std::size_t first, std::size_t end) const {
    const auto level = static_cast<std::size_t>(std::bit_width(end - first) - 1);
    return std::max(levels_[level][first], levels_[level][end - (std::size_t{1} << level)]);
  }

 private:
  std::vector<std::vector<std::uint64_t>> levels_;
};

class Beam {
 public:
  Beam(const PlacementProblem& problem, const MachinePrices& prices, const PipelineLimits& limits,
       const Deadline& deadline)
      : problem_(problem),
        prices_(prices),
        limits_(limits),
        deadline_(deadline),
        period_(limits.period * (1 + kRounding)),
        useful_(useful_wires(problem)),
        waiting_(problem.pieces.size() + 1) {
    for (std::size_t device = 0; device < problem.devices.size(); ++device) {
      auto& sums = work_before_.emplace_back(1);
      auto& weights = weights_before_.emplace_back(1);
      std::vector<std::uint64_t> activations;
      for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
        const bool runs = std::isfinite(problem.cost[device][piece].seconds);
        const StageWork work = runs ? piece_work(problem, device, piece) : StageWork{};
        weights.push_back(weights.back() + problem.cost[device][piece].weight_bytes);
        activations.push_back(problem.cost[device][piece].activation_bytes);
        sums.push_back({sums.back().computing + work.computing, sums.back().processors + work.processors});
      }
      activations_.emplace_back(std::move(activations));
    }
  }

  std::optional<Placement> run() {
    go_on(Label{.device = problem_.source}, kNoParent);
    for (std::size_t cut = 1; cut < waiting_.size(); ++cut) {
      auto& here = waiting_[cut];
      const bool done = cut + 1 == waiting_.size();
      const std::size_t kept = std::min(here.size(), done ? kMostEnds : kWidth);
      std::partial_sort(here.begin(), here.begin() + static_cast<std::ptrdiff_t>(kept), here.end(),
                        [](const Label& a, const Label& b) { return a.score < b.score; });
      here.resize(kept);
      for (Label& label : here) {
        if (deadline_.passed()) return std::nullopt;
        labels_.push_back(label);
        if (done) {
          if (auto found = finish(labels_.size() - 1)) return found;
        } else {
          go_on(label, labels_.size() - 1);
        }
      }
      here = {};
    }
    return std::nullopt;
  }

 private:
  bool within(const StageWork& work) const { return std::max(work.computing, work.processors) <= period_; }

  static StageWork sum(const StageWork& a, const StageWork& b) {
    return {a.computing + b.computing, a.processors + b.processors};
  }

  std::uint64_t memory_of(std::size_t device, std::size_t first, std::size_t end) const {
    const auto& weights = weights_before_[device];
    return weights[end] - weights[first] + activations_[device].most(first, end) +
           problem_.waiting_inputs * problem_.cut_bytes[first] + problem_.cut_bytes[end];
  }

  // A hop to a device as it keeps the period: in the format that leaves the receiver most time; where the
  // latency is limited, in the one that is there soonest. Nothing where none keeps it.
  std::optional<HopCost> hop_to(const Label& from, std::size_t device, bool starts) const {
    std::optional<HopCost> best;
    const auto cost = [&](const HopCost& hop) {
      const StageWork input = input_work(problem_, device, hop.wire, from.cut);
      const double work = std::isfinite(limits_.latency) ? 0 : std::max(input.computing, input.processors);
      return std::pair(work, hop.seconds());
    };
    for (std::size_t wire = 0; wire < useful_.size(); ++wire) {
      if (!useful_[wire].has(from.cut)) continue;
      const HopCost hop = mean_hop_cost(problem_, {{from.device}}, {{device}}, from.cut, wire);
      const bool within_period =
          starts ? hop.transfer + hop.narrow <= period_
                 : hop.transfer <= period_ &&
                       within(sum(from.work, output_work(problem_, from.device, wire, from.cut)));
      if (within_period && (!best || cost(hop) < cost(*best))) best = hop;
    }
    return best;
  }

  // Every next stage on a device that is free, the longest first.
  void go_on(const Label& from, std::size_t parent) {
    if (from.stages == limits_.devices) return;
    const bool starts = parent == kNoParent;
    for (std::size_t device = 0; device < problem_.devices.size(); ++device) {
      if (from.used[device] || prices_.farthest[device][from.cut] == from.cut) continue;
      const std::optional<HopCost> hop = hop_to(from, device, starts);
      if (!hop) continue;
      const StageWork input = input_work(problem_, device, hop->wire, from.cut);
      std::size_t tried = 0;
      for (std::size_t end = prices_.farthest[device][from.cut]; end > from.cut && tried < kEnds; --end) {
        if (!prices_.passable[end]) continue;
        const StageWork& after = work_before_[device][end];
        const StageWork& before = work_before_[device][from.cut];
        const StageWork work =
            sum(input, {after.computing - before.computing, after.processors - before.processors});
        if (!within(work) || memory_of(device, from.cut, end) > problem_.devices[device].memory_budget)
          continue;
        ++tried;
        Label next{.price = from.price + prices_.price[device],
                   .parent = parent,
                   .first = from.cut,
                   .cut = end,
                   .device = device,
                   .stages = from.stages + 1,
                   .wire = hop->wire,
                   .work = work,
                   .used = from.used};
        next.score = next.price + prices_.rest[end];
        next.used.set(device);
        waiting_[end].push_back(next);
      }
    }
  }

  std::optional<Placement> finish(std::size_t last) const {
    std::vector<PlacedStage> stages;
    for (std::size_t at = last; at != kNoParent; at = labels_[at].parent) {
      PlacedStage& stage = stages.emplace_back();
      stage.replicas = {{labels_[at].device}};
      stage.first_piece = labels_[at].first;
      stage.end_piece = labels_[at].cut;
      stage.wire = labels_[at].wire;
    }
    std::reverse(stages.begin(), stages.end());
    std::optional<Placement> best;
    for (std::size_t wire = 0; wire < useful_.size(); ++wire) {
      if (!useful_[wire].has(problem_.pieces.size())) continue;
      Placement placement = evaluate_stages(problem_, stages, wire);
      const bool keeps = placement.period <= period_ && placement.latency <= limits_.latency;
      if (keeps && is_feasible(problem_, placement) && (!best || placement.latency < best->latency))
        best = std::move(placement);
    }
    return best;
  }

  const PlacementProblem& problem_;
  const MachinePrices& prices_;
  const PipelineLimits limits_;
  const Deadline& deadline_;
  const double period_;
  std::vector<std::vector<StageWork>> work_before_;  // [device][cut]: of all pieces before
  std::vector<std::vector<std::uint64_t>> weights_before_;
  std::vector<CutSet> useful_;               // by wire
  std::vector<RangeMaximum> activations_;    // by device
  std::vector<std::vector<Label>> waiting_;  // by cut
  std::vector<Label> labels_;                // that went on
};

}  // namespace

std::optional<Placement> find_by_beam(const PlacementProblem& problem, const MachinePrices& prices,
                                      const PipelineLimits& limits, const Deadline& deadline) {
  return Beam(problem, prices, limits, deadline).run();
}

}  // namespace lamina
