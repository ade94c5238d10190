#include "plan/stage_dive.h"

#include "plan/best_prices.h"
#include "plan/chance.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kPromise = 0.0003;     // of prices, below which they are good enough
constexpr double kHopedFor = 1.1;       // times the bound, where nothing faster is known
constexpr double kLeastShare = 1e-6;    // of what lies between bound and known
constexpr std::size_t kInReserve = 10;  // times the stages that prices are found for
constexpr std::size_t kMostLabels = 1'000'000;

struct Machine {
  std::uint64_t free = 0;  // memory
  std::size_t device = 0;
  auto operator<=>(const Machine&) const = default;
};

class Dive {
 public:
  Dive(const StageGraph& graph, BundleMethod bundle, double known, const StageDiveLimits& limits,
       const Deadline& deadline)
      : costs_(graph.costs()),
        left_(graph),
        bundle_(std::move(bundle)),
        known_(known),
        limits_(limits),
        deadline_(deadline),
        placed_(costs_.pieces(), false),
        taken_(costs_.pieces(), StageGraph::kUnlisted) {
    for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) {
      free_.emplace_back();
      for (const std::size_t device : costs_.members(kind))
        free_.back().push_back({costs_.budget(kind), device});
    }
  }

  // Takes those that the graph has.
  void take(const std::vector<PlacedStage>& kept) {
    std::map<std::size_t, const PlacedStage*> by_cut;
    for (const PlacedStage& stage : kept) by_cut[stage.first_piece] = &stage;
    for (const std::uint32_t index : left_.chosen()) {
      const StageGraph::Stage& stage = (*left_.listed())[index];
      const auto same = by_cut.find(stage.first);
      if (same == by_cut.end() || same->second->end_piece != stage.end) continue;
      const std::size_t device = same->second->replicas.front().device;
      if (costs_.kind_of(device) != stage.kind) continue;
      std::vector<Machine>& free = free_[stage.kind];
      const auto machine =
          std::find_if(free.begin(), free.end(), [&](const Machine& one) { return one.device == device; });
      if (stage.bytes <= machine->free) put(index, *machine);
    }
    leave_out_impossible();
  }

  StageDive run() {
    if (std::optional<StageGraph> promising = choose_promising(kInReserve * limits_.most_stages))
      left_ = std::move(*promising);
    do {
      std::optional<StageGraph> promising = choose_promising(limits_.most_stages);
      if (!promising) break;
      StageBound bound(*promising);
      raise_prices(bound, bundle_, {limits_.price_rounds, kPromise, known_}, deadline_);
      if (!(bound.lower_bound() < known_)) break;
      search(bound);
    } while (take_stages() && !deadline_.passed());
    return std::move(result_);
  }

 private:
  // Of the stages left at most so many, whose best chains are the fastest by the prices as they are.
  std::optional<StageGraph> choose_promising(std::size_t most) {
    StageBound bound(left_);
    bound.solve(bundle_.prices());
    if (!(bound.lower_bound() < known_)) return std::nullopt;
    std::optional<StageGraph> promising = bound.without_hopeless(known_, most);
    const double hoped_for = std::min(known_, bound.lower_bound() * kHopedFor);
    for (double share = std::min(1.0, 2 * share_); !promising && share > kLeastShare; share /= 2) {
      share_ = share;
      const double fast = bound.lower_bound() + share * (hoped_for - bound.lower_bound());
      promising = bound.without_hopeless(fast, most);
    }
    if (promising) bundle_.keep_planes_of(promising->chosen());
    return promising;
  }

  void search(const StageBound& bound) {
    StageSearchResult found = search_stages(bound, {limits_.width, kMostLabels, known_}, deadline_, fixed_);
    result_.labels += found.labels;
    if (!found.placement) return;
    known_ = found.placement->latency;
    result_.placement = std::move(found.placement);
  }

  // Takes what is decided, or else the stage that is nearest to it. Whether there was any.
  bool take_stages() {
    std::map<std::uint32_t, double> mix;
    for (const BundleMethod::Weighted& chain : bundle_.planes()) {
      for (const std::uint32_t index : chain.plane->stages) mix[index] += chain.weight;
    }
    std::vector<std::pair<double, std::uint32_t>> order;
    order.reserve(mix.size());
    for (const auto& [index, share] : mix)
      order.emplace_back(share * (1 - limits_.noise * chance(random_)), index);
    std::stable_sort(order.begin(), order.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    bool taken = false;
    for (const auto& [share, index] : order) {
      if (share == 0 || (taken && share < limits_.decided)) break;
      if (is_free((*left_.listed())[index])) taken = take(index) || taken;
    }
    if (taken) leave_out_impossible();
    return taken;
  }

  bool is_free(const StageGraph::Stage& stage) const {
    return std::none_of(placed_.begin() + stage.first, placed_.begin() + stage.end,
                        [](bool placed) { return placed; });
  }

  // On the machine of the kind that it fills best.
  bool take(std::uint32_t index) {
    const StageGraph::Stage& stage = (*left_.listed())[index];
    std::vector<Machine>& free = free_[stage.kind];
    const auto machine =
        std::find_if(free.begin(), free.end(), [&](const Machine& one) { return stage.bytes <= one.free; });
    if (machine == free.end()) return false;
    put(index, *machine);
    return true;
  }

  void put(std::uint32_t index, Machine& machine) {
    const StageGraph::Stage& stage = (*left_.listed())[index];
    machine.free -= stage.bytes;
    fixed_[stage.first] = {machine.device, stage.bytes};
    std::sort(free_[stage.kind].begin(), free_[stage.kind].end());
    std::fill(placed_.begin() + stage.first, placed_.begin() + stage.end, true);
    taken_[stage.first] = index;
  }

  void leave_out_impossible() {
    std::vector<std::uint32_t> chosen;
    for (const std::uint32_t index : left_.chosen()) {
      const StageGraph::Stage& stage = (*left_.listed())[index];
      if (is_taken(index) || (is_free(stage) && stage.bytes <= free_[stage.kind].back().free))
        chosen.push_back(index);
    }
    left_ = StageGraph(costs_, left_.listed(), std::move(chosen));
  }

  bool is_taken(std::uint32_t index) const { return taken_[(*left_.listed())[index].first] == index; }

  const StageCosts& costs_;
  StageGraph left_;  // the stages taken and those that may follow and precede them
  BundleMethod bundle_;
  double known_;  // the latency to beat
  const StageDiveLimits& limits_;
  const Deadline& deadline_;
  double share_ = 1;          // of what lies between bound and known, within which stages are promising
  std::vector<bool> placed_;  // by piece
  std::vector<std::uint32_t> taken_;        // by cut: the stage taken that begins there
  FixedStages fixed_;                       // the same on their machines
  std::vector<std::vector<Machine>> free_;  // by kind, the fullest first
  Random random_{limits_.seed};
  StageDive result_;
};

}  // namespace

StageDive dive(const StageGraph& graph, BundleMethod bundle, double known, const StageDiveLimits& limits,
               const Deadline& deadline, const std::vector<PlacedStage>& kept) {
  Dive down(graph, std::move(bundle), known, limits, deadline);
  if (!kept.empty()) down.take(kept);
  return down.run();
}

}  // namespace lamina
