#include "plan/rate_beam.h"

#include "plan/useful_wires.h"

#include <algorithm>
#include <bitset>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <random>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kEnds = 6;        // of the longest stages of a device from a cut
constexpr std::size_t kMostEnds = 200;  // finished pipelines looked at
constexpr std::size_t kRoom = 8;        // times the width, for what waits at a cut
constexpr double kRounding = 1e-10;
constexpr double kTooDear = 1 + 1e-9;  // of all machines together
constexpr std::size_t kNoParent = std::numeric_limits<std::size_t>::max();

// A pipeline of the first pieces.
struct Label {
  std::size_t parent = kNoParent;
  std::size_t first = 0;  // of its last stage
  std::size_t cut = 0;    // where that ends
  std::size_t device = 0;
  std::size_t stages = 0;
  std::size_t wire = 0;     // of the hop into the last stage
  StageWork work = {};      // of the last stage, without what sending takes
  double requests = 0;      // seconds that requests keep the source's link busy
  double price = 0;         // of its devices
  std::uint64_t taken = 0;  // which these are, as a random number
  std::bitset<kMostChainDevices> used = {};
};

// A label before it is known to go on.
struct Candidate {
  double score = 0;         // price of its devices, and the least that is to come
  std::uint64_t alike = 0;  // the same for two that use the same devices and end on the same one
  std::size_t parent = kNoParent;
  std::size_t device = 0;
};

// Those that wait at a cut: the best of each kind, not many more than go on from it.
class Waiting {
 public:
  void add(const Candidate& candidate, std::size_t width) {
    if (candidate.score >= worst_) return;
    candidates_.push_back(candidate);
    if (candidates_.size() < kRoom * width) return;
    keep_best(width);
    if (candidates_.size() == width) worst_ = candidates_.back().score;
  }
  // The best, in order.
  std::vector<Candidate> take(std::size_t width) {
    keep_best(width);
    return std::exchange(candidates_, {});
  }

 private:
  void keep_best(std::size_t width) {
    std::sort(candidates_.begin(), candidates_.end(), [](const Candidate& a, const Candidate& b) {
      return std::pair(a.alike, a.score) < std::pair(b.alike, b.score);
    });
    const auto alike = [](const Candidate& a, const Candidate& b) { return a.alike == b.alike; };
    candidates_.erase(std::unique(candidates_.begin(), candidates_.end(), alike), candidates_.end());
    std::sort(candidates_.begin(), candidates_.end(),
              [](const Candidate& a, const Candidate& b) { return a.score < b.score; });
    candidates_.resize(std::min(candidates_.size(), width));
  }

  std::vector<Candidate> candidates_;
  double worst_ = std::numeric_limits<double>::infinity();  // of as many as go on
};

class Beam {
 public:
  Beam(const StageSums& sums, const CheapestChain& chain, const std::vector<double>& prices,
       const PipelineLimits& limits, std::size_t width, const Deadline& deadline)
      : sums_(sums),
        problem_(sums.problem()),
        chain_(chain),
        prices_(prices),
        limits_(limits),
        width_(width),
        deadline_(deadline),
        period_(limits.period * (1 + kRounding)),
        too_dear_(std::accumulate(prices.begin(), prices.end(), 0.0) * kTooDear),
        useful_(useful_wires(problem_)),
        waiting_(problem_.pieces.size() + 1) {
    std::mt19937_64 random;
    for (std::size_t device = 0; device < problem_.devices.size(); ++device) {
      as_used_.push_back(random());
      as_last_.push_back(random());
    }
  }

  std::optional<Placement> run() {
    go_on(Label{.device = problem_.source}, kNoParent);
    for (std::size_t cut = 1; cut < waiting_.size(); ++cut) {
      const bool done = cut + 1 == waiting_.size();
      for (const Candidate& candidate : waiting_[cut].take(done ? kMostEnds : width_)) {
        if (deadline_.passed()) return std::nullopt;
        labels_.push_back(label_of(candidate, cut));
        if (done) {
          if (auto found = finish(labels_.size() - 1)) return found;
        } else {
          go_on(Label(labels_.back()), labels_.size() - 1);
        }
      }
    }
    return std::nullopt;
  }

 private:
  bool within(const StageWork& work) const { return std::max(work.computing, work.processors) <= period_; }

  static StageWork sum(const StageWork& a, const StageWork& b) {
    return {a.computing + b.computing, a.processors + b.processors};
  }

  // A hop to a device as it keeps the period: in the format that leaves the receiver most time; where the
  // latency is limited, in the one that is there soonest. Nothing where none keeps it.
  std::optional<std::size_t> hop_to(const Label& from, std::size_t device) const {
    const bool starts = from.cut == 0;
    const LinkCost& link = problem_.links[from.device][device];
    const double sent = from.device == problem_.source ? from.requests : 0;
    std::optional<std::size_t> best;
    std::pair<double, double> least;
    for (std::size_t wire = 0; wire < useful_.size(); ++wire) {
      if (!useful_[wire].has(from.cut)) continue;
      const double transfer = hop_cost(link, wire_bytes(problem_, wire, from.cut)).transfer;
      const double narrow = narrow_seconds(problem_, from.device, wire, from.cut);
      const bool within_period =
          starts ? transfer + narrow <= period_
                 : sent + transfer <= period_ &&
                       within(sum(from.work, output_work(problem_, from.device, wire, from.cut)));
      if (!within_period) continue;
      const StageWork input = input_work(problem_, device, wire, from.cut);
      const double work = std::isfinite(limits_.latency) ? 0 : std::max(input.computing, input.processors);
      const std::pair cost(work, narrow + transfer + widen_seconds(problem_, device, wire, from.cut));
      if (!best || cost < least) best = wire, least = cost;
    }
    return best;
  }

  // Every next stage on a device that is free, the longest first.
  void go_on(const Label& from, std::size_t parent) {
    if (from.stages == limits_.devices) return;
    for (std::size_t device = 0; device < problem_.devices.size(); ++device) {
      const std::size_t farthest = chain_.farthest(device, from.cut);
      if (from.used[device] || farthest == from.cut) continue;
      const std::optional<std::size_t> wire = hop_to(from, device);
      if (!wire) continue;
      const StageWork input = input_work(problem_, device, *wire, from.cut);
      const std::uint64_t alike = from.taken ^ as_used_[device] ^ as_last_[device];
      const double price = from.price + prices_[device];
      std::size_t tried = 0;
      for (std::size_t end = farthest; end > from.cut && tried < kEnds; --end) {
        const double score = price + chain_.rest(end, device);
        if (score > too_dear_ || end > sums_.runs_until(device, from.cut) ||
            !within(sum(input, sums_.work(device, from.cut, end))) ||
            sums_.memory(device, from.cut, end) > problem_.devices[device].memory_budget)
          continue;
        ++tried;
        waiting_[end].add({score, alike, parent, device}, width_);
      }
    }
  }

  Label label_of(const Candidate& candidate, std::size_t cut) const {
    const Label start{.device = problem_.source};
    const Label& from = candidate.parent == kNoParent ? start : labels_[candidate.parent];
    const std::size_t wire = hop_to(from, candidate.device).value();
    Label label{.parent = candidate.parent,
                .first = from.cut,
                .cut = cut,
                .device = candidate.device,
                .stages = from.stages + 1,
                .wire = wire,
                .work = sum(input_work(problem_, candidate.device, wire, from.cut),
                            sums_.work(candidate.device, from.cut, cut)),
                .price = from.price + prices_[candidate.device],
                .taken = from.taken ^ as_used_[candidate.device],
                .used = from.used};
    label.used.set(candidate.device);
    label.requests = from.requests;
    if (from.cut == 0 && candidate.device != problem_.source) {
      const LinkCost& link = problem_.links[problem_.source][candidate.device];
      label.requests = hop_cost(link, wire_bytes(problem_, wire, 0)).transfer +
                       narrow_seconds(problem_, problem_.source, wire, 0);
    }
    return label;
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

  const StageSums& sums_;
  const PlacementProblem& problem_;
  const CheapestChain& chain_;
  const std::vector<double>& prices_;
  const PipelineLimits limits_;
  const std::size_t width_;
  const Deadline& deadline_;
  const double period_;
  const double too_dear_;
  std::vector<CutSet> useful_;          // by wire
  std::vector<Waiting> waiting_;        // by cut
  std::vector<Label> labels_;           // that went on
  std::vector<std::uint64_t> as_used_;  // by device: random numbers
  std::vector<std::uint64_t> as_last_;
};

}  // namespace

std::optional<Placement> find_by_beam(const StageSums& sums, const CheapestChain& chain,
                                      const std::vector<double>& prices, const PipelineLimits& limits,
                                      std::size_t width, const Deadline& deadline) {
  return Beam(sums, chain, prices, limits, width, deadline).run();
}

}  // namespace lamina
