#include "plan/least_latency.h"

#include "base/error.h"
#include "plan/completion_bound.h"
#include "plan/memory_prices.h"
#include "plan/problem_check.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <queue>
#include <string>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kNoParent = std::numeric_limits<std::size_t>::max();
// The beam looks at so many partial placements in all, whatever the size of the problem.
constexpr std::size_t kBeamLabels = 400'000;
constexpr std::size_t kNarrowestBeam = 8;
constexpr std::size_t kWidestBeam = 512;
constexpr int kPriceRounds = 60;

// A placement of the first pieces.
struct Label {
  double latency = 0;  // so far, without the way back
  double bound = 0;    // with the least that is to come
  std::size_t parent = kNoParent;
  std::uint32_t pieces = 0;
  std::uint32_t device = 0;
  // Memory of the stage that is being built, and what its device holds of earlier ones: fixed for good, and
  // the greatest activations, which a later piece may exceed.
  std::uint64_t fixed = 0;
  std::uint64_t activations = 0;
  std::uint64_t required = 0;  // devices that have to be used and are, as bits
};

class Search {
 public:
  Search(const PlacementProblem& problem, const PlannerOptions& options)
      : problem_(problem),
        options_(options),
        devices_(problem.devices.size()),
        pieces_(problem.pieces.size()),
        completion_(problem, std::vector<double>(devices_, 0)),
        fronts_((pieces_ + 1) * devices_) {
    number_required_devices();
    find_tight_devices();
    if (tight_ > 0) {
      prices_ = find_memory_prices(problem, kPriceRounds);
      priced_completion_.emplace(problem, prices_.seconds_per_byte);
    }
  }

  PlannedPlacement run() {
    const auto later = [this](std::size_t a, std::size_t b) { return comes_after(a, b); };
    std::priority_queue<std::size_t, std::vector<std::size_t>, decltype(later)> open(later);
    for (std::size_t device = 0; device < devices_; ++device) {
      const std::size_t label = start_on(device);
      if (label != kNoParent) open.push(label);
    }
    double reached = 0;
    while (!open.empty()) {
      const std::size_t current = open.top();
      open.pop();
      reached = labels_[current].bound;
      if (is_dropped(current)) continue;
      if (labels_[current].pieces == pieces_)
        return {placement_of(current), labels_[current].bound, true, labels_.size()};
      if (labels_.size() > options_.max_labels) return best_by_beam(reached);
      for (std::size_t device = 0; device < devices_; ++device) {
        const std::size_t next = extend(current, device);
        if (next != kNoParent && keep(next)) open.push(next);
      }
    }
    fail_for_memory(problem_);
  }

 private:
  // The search goes for the least bound; of equals for the one that is further, then for the first device.
  bool comes_after(std::size_t a, std::size_t b) const {
    const Label& x = labels_[a];
    const Label& y = labels_[b];
    if (x.bound != y.bound) return x.bound > y.bound;
    if (x.pieces != y.pieces) return x.pieces < y.pieces;
    if (x.device != y.device) return x.device > y.device;
    return a > b;
  }

  void number_required_devices() {
    std::size_t count = 0;
    for (const PlanDevice& device : problem_.devices) {
      required_.push_back(device.required ? std::uint64_t{1} << count++ : 0);
      if (count > 63)
        fail(ErrorCode::unsupported, "{} devices that have to be used, expected at most 63", count);
    }
    all_required_ = (std::uint64_t{1} << count) - 1;
  }

  // Devices that could hold everything at once never limit anything, so their memory needs no comparing.
  void find_tight_devices() {
    std::uint64_t traffic = 0;
    for (const std::uint64_t bytes : problem_.cut_bytes) traffic += (problem_.waiting_inputs + 1) * bytes;
    for (std::size_t device = 0; device < devices_; ++device) {
      std::uint64_t most = traffic;
      for (const PieceCost& cost : problem_.cost[device]) most += cost.weight_bytes + cost.activation_bytes;
      tight_of_.push_back(most > problem_.devices[device].memory_budget ? tight_++ : kNoParent);
    }
  }

  bool is_tight(std::size_t device) const { return tight_of_[device] != kNoParent; }
  std::uint64_t& committed(std::size_t label, std::size_t device) {
    return memory_[label * tight_ + tight_of_[device]];
  }

  std::size_t add(const Label& label, std::size_t copy_memory_of) {
    labels_.push_back(label);
    memory_.resize(labels_.size() * tight_, 0);
    if (copy_memory_of != kNoParent) {
      std::copy_n(memory_.begin() + static_cast<std::ptrdiff_t>(copy_memory_of * tight_), tight_,
                  memory_.end() - static_cast<std::ptrdiff_t>(tight_));
    }
    return labels_.size() - 1;
  }

  bool fits(const Label& label) const {
    if (label.pieces == pieces_ && label.required != all_required_) return false;
    if (!is_tight(label.device)) return true;
    std::uint64_t memory = label.fixed + label.activations;
    // At the end of the model the stage's output is known to be needed.
    if (label.pieces == pieces_) memory += problem_.cut_bytes.back();
    return memory <= problem_.devices[label.device].memory_budget;
  }

  std::size_t start_on(std::size_t device) {
    const PieceCost& cost = problem_.cost[device][0];
    Label label;
    label.latency = way_into(problem_, problem_.source, device, 0) + cost.seconds;
    label.pieces = 1;
    label.device = static_cast<std::uint32_t>(device);
    label.fixed = problem_.waiting_inputs * problem_.cut_bytes[0] + cost.weight_bytes;
    label.activations = cost.activation_bytes;
    label.required = required_[device];
    if (!std::isfinite(label.latency + completion_.at(1, device)) || !fits(label)) return kNoParent;
    const std::size_t id = add(label, kNoParent);
    labels_[id].bound = bound_of(id);
    keep(id);
    return id;
  }

  // The least that any completion comes to: of time alone, or of time and priced memory less the price of
  // what is left.
  double bound_of(std::size_t id) const {
    const Label& label = labels_[id];
    const double plain = label.latency + completion_.at(label.pieces, label.device);
    if (!priced_completion_) return plain;
    double priced = label.latency + priced_completion_->at(label.pieces, label.device);
    for (std::size_t device = 0; device < devices_; ++device) {
      if (!is_tight(device)) continue;
      const std::uint64_t used =
          device == label.device ? label.fixed + label.activations : memory_[id * tight_ + tight_of_[device]];
      priced -= prices_.seconds_per_byte[device] *
                (static_cast<double>(problem_.devices[device].memory_budget) - static_cast<double>(used));
    }
    return std::max(plain, priced);
  }

  // The label with the next piece on `device`, or none if that can't be.
  std::size_t extend(std::size_t from, std::size_t device) {
    const Label before = labels_[from];
    const PieceCost& cost = problem_.cost[device][before.pieces];
    Label label = before;
    label.parent = from;
    label.pieces = before.pieces + 1;
    label.device = static_cast<std::uint32_t>(device);
    label.latency += cost.seconds;
    label.required |= required_[device];
    const std::uint64_t crossing = problem_.cut_bytes[before.pieces];
    std::uint64_t ended = 0;
    if (device == before.device) {
      label.fixed += cost.weight_bytes;
      label.activations = std::max(before.activations, cost.activation_bytes);
    } else {
      label.latency += way_into(problem_, before.device, device, before.pieces);
      // The stage on the last device ends here: its output is added to what it holds.
      ended = before.fixed + before.activations + crossing;
      if (is_tight(before.device) && ended > problem_.devices[before.device].memory_budget) return kNoParent;
      label.fixed = problem_.waiting_inputs * crossing + cost.weight_bytes +
                    (is_tight(device) ? committed(from, device) : 0);
      label.activations = cost.activation_bytes;
    }
    if (!std::isfinite(label.latency + completion_.at(label.pieces, device)) || !fits(label))
      return kNoParent;
    const std::size_t id = add(label, from);
    if (device != before.device && is_tight(before.device)) committed(id, before.device) = ended;
    labels_[id].bound = bound_of(id);
    return id;
  }

  // Whether `a` is no worse than `b` in every respect; both stand after the same pieces on the same device.
  bool dominates(std::size_t a, std::size_t b) {
    const Label& x = labels_[a];
    const Label& y = labels_[b];
    if (x.latency > y.latency || (y.required & ~x.required) != 0) return false;
    if (is_tight(x.device) && (x.fixed > y.fixed || x.activations > y.activations)) return false;
    for (std::size_t device = 0; device < devices_; ++device) {
      if (device == x.device || !is_tight(device)) continue;
      if (committed(a, device) > committed(b, device)) return false;
    }
    return true;
  }

  // Enters a label among those of its place; false (and removed) if another there dominates it.
  bool keep(std::size_t id) {
    auto& front = fronts_[labels_[id].pieces * devices_ + labels_[id].device];
    for (const std::size_t other : front) {
      if (dominates(other, id)) {
        labels_.pop_back();
        memory_.resize(labels_.size() * tight_);
        return false;
      }
    }
    std::erase_if(front, [&](std::size_t other) {
      const bool worse = dominates(id, other);
      if (worse) dropped_.resize(std::max(dropped_.size(), other + 1)), dropped_[other] = true;
      return worse;
    });
    front.push_back(id);
    return true;
  }

  bool is_dropped(std::size_t id) const { return id < dropped_.size() && dropped_[id]; }

  Placement placement_of(std::size_t label) const {
    std::vector<std::size_t> device_of(labels_[label].pieces);
    for (std::size_t id = label; id != kNoParent; id = labels_[id].parent) {
      device_of[labels_[id].pieces - 1] = labels_[id].device;
    }
    return evaluate(problem_, device_of);
  }

  // Beyond its limit the search keeps the most promising partial placements of each length and says how far
  // from best the answer may be.
  PlannedPlacement best_by_beam(double lower_bound) {
    const std::size_t looked_at = labels_.size();
    const std::size_t width = std::clamp(kBeamLabels / (pieces_ * devices_), kNarrowestBeam, kWidestBeam);
    labels_.clear();
    memory_.clear();
    dropped_.clear();
    for (auto& front : fronts_) front.clear();
    std::vector<std::size_t> beam;
    for (std::size_t device = 0; device < devices_; ++device) {
      const std::size_t label = start_on(device);
      if (label != kNoParent) beam.push_back(label);
    }
    for (std::size_t piece = 1; piece < pieces_; ++piece) {
      std::vector<std::size_t> next;
      for (const std::size_t label : beam) {
        for (std::size_t device = 0; device < devices_; ++device) {
          const std::size_t extended = extend(label, device);
          if (extended != kNoParent && keep(extended)) next.push_back(extended);
        }
      }
      std::erase_if(next, [this](std::size_t label) { return is_dropped(label); });
      std::sort(next.begin(), next.end(), [this](std::size_t a, std::size_t b) { return comes_after(b, a); });
      if (next.size() > width) next.resize(width);
      beam = std::move(next);
    }
    std::vector<Placement> found;
    if (prices_.feasible) found.push_back(*prices_.feasible);
    if (!beam.empty()) found.push_back(placement_of(beam.front()));
    if (found.empty()) {
      fail(ErrorCode::resource_exhausted,
           "no placement was found within {} partial ones; none may fit the memory of the devices",
           looked_at);
    }
    const Placement& best =
        *std::min_element(found.begin(), found.end(),
                          [](const Placement& a, const Placement& b) { return a.latency < b.latency; });
    lower_bound = std::max(lower_bound, prices_.lower_bound);
    return {best, lower_bound, best.latency <= lower_bound, looked_at};
  }

  const PlacementProblem& problem_;
  const PlannerOptions& options_;
  std::size_t devices_;
  std::size_t pieces_;
  CompletionBound completion_;
  MemoryPrices prices_;
  std::optional<CompletionBound> priced_completion_;  // where a device is tight
  std::vector<std::uint64_t> required_;               // by device: its bit
  std::uint64_t all_required_ = 0;
  std::vector<std::size_t> tight_of_;  // the place of a tight device in a row of memory_
  std::size_t tight_ = 0;
  std::vector<Label> labels_;
  std::vector<std::uint64_t> memory_;  // of ended stages: a row a label, a column a tight device
  std::vector<std::vector<std::size_t>> fronts_;
  std::vector<bool> dropped_;
};

}  // namespace

PlannedPlacement find_least_latency(const PlacementProblem& problem, const PlannerOptions& options) {
  expect_sound(problem);
  return Search(problem, options).run();
}

}  // namespace lamina
