#include "plan/stage_search.h"

#include "base/error.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace lamina {

namespace {

constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
// Candidates that wait for their cut, in multiples of max_labels.
constexpr std::size_t kMostWaiting = 20;

// The fastest at a cut and slot that a partial placement is compared with: beyond them comparing takes longer
// than following.
constexpr std::size_t kMostRivals = 500;

// A slot is a machine's place among those of its kind, which are ordered by the memory they hold: the machine
// in a slot changes when one overtakes another. Fixed stages of a kind are in a slot of their own, beyond
// those of machines; what they hold counts from the beginning.

// A partial placement one stage longer than its parent, as long as its cut was not reached.
struct Candidate {
  double bound = 0;  // no completion is faster
  double latency = 0;
  double priced = 0;        // the memory taken, less all there is
  std::uint64_t bytes = 0;  // of its last stage
  std::uint32_t parent = kNone;
  std::uint32_t slot = 0;  // of its last stage, before that stage
};

bool more_promising(const Candidate& a, const Candidate& b) {
  return std::tie(a.bound, a.latency, a.slot, a.parent) < std::tie(b.bound, b.latency, b.slot, b.parent);
}

struct Label {
  double latency = 0;  // so far, without the way on from its last stage
  double priced = 0;
  std::uint32_t parent = kNone;
  std::uint32_t cut = 0;
  std::uint32_t taken = 0;     // the slot of its last stage, before that stage
  std::uint32_t slot = 0;      // and after it
  std::uint64_t required = 0;  // devices that have to be used and are, as bits
};

class Search {
 public:
  Search(const StageBound& bound, const StageSearchLimits& limits, const Deadline& deadline,
         const FixedStages& fixed)
      : costs_(bound.graph().costs()),
        bound_(bound),
        limits_(limits),
        deadline_(deadline),
        fixed_(fixed),
        fastest_(limits.faster_than) {
    std::vector<std::uint64_t> held(costs_.problem().devices.size(), 0);
    std::vector<bool> is_used(held.size(), false);
    for (const auto& [cut, stage] : fixed) {
      held[stage.device] += stage.bytes;
      is_used[stage.device] = true;
    }
    std::size_t required = 0;
    for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) {
      first_slot_.push_back(kind_of_.size());
      std::vector<std::size_t> devices = costs_.members(kind);
      std::stable_sort(devices.begin(), devices.end(),
                       [&](std::size_t a, std::size_t b) { return held[a] < held[b]; });
      for (const std::size_t device : devices) {
        kind_of_.push_back(kind);
        device_in_.push_back(device);
        held_at_first_.push_back(held[device]);
        required_.push_back(costs_.problem().devices[device].required ? std::uint64_t{1} << required++ % 64
                                                                      : 0);
        if (is_used[device]) required_at_first_ |= required_.back();
      }
    }
    if (required > 63)
      fail(ErrorCode::unsupported, "{} devices that have to be used, expected at most 63", required);
    all_required_ = (std::uint64_t{1} << required) - 1;
    slots_ = kind_of_.size();
    for (std::size_t kind = 0; kind < costs_.kinds(); ++kind) kind_of_.push_back(kind);
    candidates_.resize(costs_.pieces() + 1);
  }

  StageSearchResult run() {
    extend(kNone, held_at_first_.data());
    for (std::size_t cut = 1; cut <= costs_.pieces() && !over_; ++cut) settle(cut);
    StageSearchResult result;
    if (last_ != kNone) result.placement = placement_of(last_);
    result.complete = complete_;
    result.labels = labels_.size();
    return result;
  }

 private:
  const std::uint64_t* row(std::uint32_t label) const { return &held_[label * slots_]; }
  bool over() {
    if (labels_.size() > limits_.max_labels || deadline_.passed()) complete_ = false, over_ = true;
    return over_;
  }

  // Every stage that can follow the label (or begin, after none).
  void extend(std::uint32_t label, const std::uint64_t* held) {
    const std::size_t cut = label == kNone ? 0 : labels_[label].cut;
    const double priced = label == kNone ? -bound_.prices().of_everything() : labels_[label].priced;
    if (const auto fixed = fixed_.find(cut); fixed != fixed_.end()) {
      const std::size_t kind = costs_.kind_of(fixed->second.device);
      extend_by(label, slots_ + kind, priced, costs_.budget(kind));
      return;
    }
    for (std::size_t slot = 0; slot < slots_; ++slot) {
      if (label != kNone && slot == labels_[label].slot) continue;
      if (same_as_one_before(label, slot, held)) continue;
      extend_by(label, slot, priced, costs_.budget(kind_of_[slot]) - held[slot]);
    }
  }

  void extend_by(std::uint32_t label, std::size_t slot, double priced, std::uint64_t room) {
    const std::size_t cut = label == kNone ? 0 : labels_[label].cut;
    const std::size_t kind = kind_of_[slot];
    const double latency =
        label == kNone ? costs_.way_in(kind)
                       : labels_[label].latency + costs_.ways_to(cut, kind)[kind_of_[labels_[label].slot]];
    if (!(latency + priced + bound_.entering(cut, kind) < fastest_)) return;
    bound_.graph().for_each_stage(
        cut, kind, room, [&](std::size_t end, double seconds, std::uint64_t bytes, std::uint32_t) {
          const double so_far = latency + seconds;
          const double priced_so_far = priced + bound_.prices().of(kind, bytes);
          const double least = so_far + std::max(0.0, priced_so_far + bound_.leaving(end, kind));
          if (!(least < fastest_)) return;
          wait(end, {least, so_far, priced_so_far, bytes, label, static_cast<std::uint32_t>(slot)});
        });
  }

  // Machines of a kind that hold as much are one choice; the one that the label stands on is none.
  bool same_as_one_before(std::uint32_t label, std::size_t slot, const std::uint64_t* held) const {
    std::size_t before = slot;
    while (before > first_slot_[kind_of_[slot]] && held[before - 1] == held[slot]) {
      --before;
      if (label == kNone || before != labels_[label].slot) return true;
    }
    return false;
  }

  // Keeps the most promising at each cut: of a full heap the least promising goes.
  void wait(std::size_t cut, const Candidate& candidate) {
    std::vector<Candidate>& heap = candidates_[cut];
    if (heap.size() >= limits_.width || waiting_ >= limits_.max_labels * kMostWaiting) {
      complete_ = false;
      if (heap.empty() || !more_promising(candidate, heap.front())) return;
      std::pop_heap(heap.begin(), heap.end(), more_promising);
      heap.back() = candidate;
    } else {
      heap.push_back(candidate);
      ++waiting_;
    }
    std::push_heap(heap.begin(), heap.end(), more_promising);
  }

  void settle(std::size_t cut) {
    std::vector<Candidate> here = std::move(candidates_[cut]);
    candidates_[cut] = {};
    waiting_ -= here.size();
    std::sort(here.begin(), here.end(), [](const Candidate& a, const Candidate& b) {
      return std::tie(a.latency, a.slot, a.parent) < std::tie(b.latency, b.slot, b.parent);
    });
    std::vector<std::vector<std::uint32_t>> front(kind_of_.size());  // by slot, fastest first
    for (const Candidate& candidate : here) {
      if (!(candidate.bound < fastest_)) continue;
      if (over()) return;
      const std::uint32_t label = add(candidate, cut);
      if (cut == costs_.pieces()) {
        finish(label);
        continue;
      }
      std::vector<std::uint32_t>& rivals = front[labels_[label].slot];
      const auto last = rivals.begin() + static_cast<std::ptrdiff_t>(std::min(rivals.size(), kMostRivals));
      if (std::any_of(rivals.begin(), last, [&](std::uint32_t rival) { return beats(rival, label); })) {
        labels_.pop_back();
        held_.resize(labels_.size() * slots_);
      } else {
        rivals.push_back(label);
      }
    }
    for (const auto& labels : front) {
      for (const std::uint32_t label : labels) {
        if (over()) return;
        extend(label, row(label));
      }
    }
  }

  std::uint32_t add(const Candidate& candidate, std::size_t cut) {
    const auto id = static_cast<std::uint32_t>(labels_.size());
    Label label;
    label.latency = candidate.latency;
    label.priced = candidate.priced;
    label.parent = candidate.parent;
    label.cut = static_cast<std::uint32_t>(cut);
    label.taken = candidate.slot;
    label.slot = candidate.slot;
    held_.resize(held_.size() + slots_);
    const bool is_first = candidate.parent == kNone;
    std::copy_n(is_first ? held_at_first_.data() : row(candidate.parent), slots_, &held_[id * slots_]);
    label.required = is_first ? required_at_first_ : labels_[candidate.parent].required;
    if (candidate.slot >= slots_) {
      labels_.push_back(label);
      return id;
    }
    label.required |= required_[candidate.slot];
    std::uint64_t* const held = &held_[id * slots_];
    held[candidate.slot] += candidate.bytes;
    std::size_t slot = candidate.slot;
    const std::size_t end = first_slot_[kind_of_[slot]] + costs_.members(kind_of_[slot]).size();
    for (; slot + 1 < end && held[slot + 1] < held[slot]; ++slot) std::swap(held[slot], held[slot + 1]);
    label.slot = static_cast<std::uint32_t>(slot);
    labels_.push_back(label);
    return id;
  }

  // Both end at the same cut on the same slot, and `a` is no slower.
  bool beats(std::uint32_t a, std::uint32_t b) const {
    if ((labels_[b].required & ~labels_[a].required) != 0) return false;
    const std::uint64_t* const x = row(a);
    const std::uint64_t* const y = row(b);
    for (std::size_t slot = 0; slot < slots_; ++slot) {
      if (x[slot] > y[slot]) return false;
    }
    return true;
  }

  void finish(std::uint32_t label) {
    const double latency = labels_[label].latency + costs_.way_out(kind_of_[labels_[label].slot]);
    if (labels_[label].required != all_required_ || !(latency < fastest_)) return;
    fastest_ = latency;
    last_ = label;
  }

  Placement placement_of(std::uint32_t last) const {
    std::vector<std::uint32_t> way;
    for (std::uint32_t label = last; label != kNone; label = labels_[label].parent) way.push_back(label);
    std::vector<std::size_t> device_in = device_in_;  // as it is on the way
    std::vector<std::size_t> device_of;
    for (auto label = way.rbegin(); label != way.rend(); ++label) {
      const Label& stage = labels_[*label];
      if (stage.taken >= slots_) {
        device_of.resize(stage.cut, fixed_.at(device_of.size()).device);
        continue;
      }
      device_of.resize(stage.cut, device_in[stage.taken]);
      std::rotate(device_in.begin() + stage.taken, device_in.begin() + stage.taken + 1,
                  device_in.begin() + stage.slot + 1);
    }
    return evaluate(costs_.problem(), device_of);
  }

  const StageCosts& costs_;
  const StageBound& bound_;
  const StageSearchLimits& limits_;
  const Deadline& deadline_;
  const FixedStages& fixed_;
  double fastest_;                            // the latency to beat
  std::size_t slots_ = 0;                     // of machines
  std::vector<std::size_t> kind_of_;          // by slot
  std::vector<std::size_t> first_slot_;       // by kind
  std::vector<std::size_t> device_in_;        // by slot, at first
  std::vector<std::uint64_t> held_at_first_;  // by slot
  std::uint64_t required_at_first_ = 0;
  std::vector<std::uint64_t> required_;  // by slot: its bit
  std::uint64_t all_required_ = 0;
  std::vector<std::vector<Candidate>> candidates_;  // by cut, a heap with the least promising on top
  std::size_t waiting_ = 0;
  std::vector<Label> labels_;
  std::vector<std::uint64_t> held_;  // memory: a row a label, a column a slot
  std::uint32_t last_ = kNone;
  bool complete_ = true;
  bool over_ = false;  // limits reached
};

}  // namespace

StageSearchResult search_stages(const StageBound& bound, const StageSearchLimits& limits,
                                const Deadline& deadline, const FixedStages& fixed) {
  return Search(bound, limits, deadline, fixed).run();
}

}  // namespace lamina
