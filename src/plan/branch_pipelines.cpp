#include "plan/branch_pipelines.h"

#include "plan/branch_cost.h"
#include "plan/branch_tables.h"
#include "plan/branch_work.h"
#include "plan/replica_groups.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <unordered_map>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr std::size_t kMostWays = 64;  // of a block, listed for the bound of the latency
constexpr double kNever = std::numeric_limits<double>::infinity();
// Figures that differ by less are the same: they are sums in different orders.
constexpr double kRounding = 1e-9;

// A placement of the first pieces, whose last stage ends on `device`.
struct Label {
  std::size_t device = 0;   // the number of devices: the source's front end
  std::uint64_t taken = 0;  // devices, as bits
  DeviceLoad open = {};     // of `device`
  double sending = 0;       // of the source's link
  double receiving = 0;
  double busiest = 0;  // of all so far
  double latency = 0;
  std::uint64_t memory = 0;  // of the stages on `device`
  bool forked = false;
  std::size_t parent = kNone;
  std::vector<PlacedStage> added = {};  // after those of the parent
};

class Search {
 public:
  Search(const PlacementProblem& problem, Objective goal, const PipelineLimits& limits,
         std::size_t max_labels, const Deadline& deadline)
      : problem_(problem),
        by_rate_(goal == Objective::throughput),
        times_latency_(!by_rate_ || std::isfinite(limits.latency)),
        limits_(limits),
        max_labels_(max_labels),
        deadline_(deadline),
        devices_(problem.devices.size()),
        pieces_(problem.pieces.size()),
        work_(problem),
        tables_(problem, kMostWays, Deadline(deadline.left() / 4)),
        kinds_(find_kinds(problem)),
        fronts_(pieces_ + 1) {
    for (std::size_t device = 0; device < devices_; ++device) {
      if (problem.devices[device].required) required_ |= bit(device);
    }
    limits_.period *= 1 + kRounding / 10;
    limits_.latency *= 1 + kRounding / 10;
  }

  BranchPipelineResult run() {
    keep(0, Label{.device = devices_});
    for (std::size_t cut = 0; cut < pieces_; ++cut) {
      for (const auto& [place, front] : std::exchange(fronts_[cut], {})) {
        for (const std::size_t label : front) {
          if (labels_.size() > max_labels_ || deadline_.passed()) return {std::move(best_), false};
          if (!can_be_better(labels_[label], cut)) continue;
          if (forks_from(cut)) fork(label, cut);
          if (labels_[label].forked || forks_after(cut)) go_on(label, cut);
        }
      }
    }
    return {std::move(best_), true};
  }

 private:
  static std::uint64_t bit(std::size_t device) { return std::uint64_t{1} << device; }
  bool at_front_end(const Label& label) const { return label.device == devices_; }
  std::size_t device_of(const Label& label) const {
    return at_front_end(label) ? problem_.source : label.device;
  }
  const PlanBlock* forks_from(std::size_t cut) const { return tables_.block_at(cut); }
  bool forks_after(std::size_t cut) const {
    return !problem_.blocks.empty() && problem_.blocks.back().first_piece > cut;
  }

  // Devices that a next stage may run on: of equal ones that are free the first.
  std::vector<std::size_t> free_devices(std::uint64_t taken) const {
    std::vector<std::size_t> free;
    for (const auto& members : kinds_.members) {
      const auto first = std::find_if(members.begin(), members.end(),
                                      [&](std::size_t device) { return (taken & bit(device)) == 0; });
      if (first != members.end()) free.push_back(*first);
    }
    return free;
  }

  bool can_be_better(const Label& label, std::size_t cut) const {
    if (label.busiest > limits_.period) return false;
    if (times_latency_ && tables_.is_whole()) {
      const std::size_t device = device_of(label);
      if (label.latency + tables_.to_come(cut, device) * (1 - kRounding) > limits_.latency) return false;
    }
    if (!std::isfinite(limits_.period)) return true;
    double can_do = 0;
    for (std::size_t device = 0; device < devices_; ++device) {
      const bool open = device == label.device;
      if (!open && (label.taken & bit(device)) != 0) continue;
      can_do += (limits_.period - (open ? label.open.computing : 0)) * work_.speed[device];
    }
    return work_.rest[cut] * (1 - kRounding) <= can_do;
  }

  bool dominates(const Label& a, const Label& b) const {
    if (times_latency_ && a.latency > b.latency) return false;
    if (by_rate_ && a.busiest > b.busiest) return false;
    return a.forked >= b.forked && a.open.computing <= b.open.computing &&
           a.open.processors <= b.open.processors && a.open.sending <= b.open.sending &&
           a.open.receiving <= b.open.receiving && a.sending <= b.sending && a.receiving <= b.receiving &&
           a.memory <= b.memory;
  }

  void keep(std::size_t cut, Label label) {
    if (!can_be_better(label, cut)) return;
    auto& front = fronts_[cut][label.taken * (devices_ + 1) + label.device];
    for (const std::size_t other : front) {
      if (dominates(labels_[other], label)) return;
    }
    std::erase_if(front, [&](std::size_t other) { return dominates(label, labels_[other]); });
    front.push_back(labels_.size());
    labels_.push_back(std::move(label));
  }

  // Loads of all devices, to be added to.
  struct Loads {
    std::vector<DeviceLoad> of;
    double busiest = 0;
  };
  Loads loads_of(const Label& label) const {
    Loads loads{std::vector<DeviceLoad>(devices_), label.busiest};
    if (!at_front_end(label)) loads.of[label.device] = label.open;
    loads.of[problem_.source].sending = label.sending;
    loads.of[problem_.source].receiving = label.receiving;
    return loads;
  }
  void carry(Loads& loads, std::size_t from, std::size_t to, std::uint64_t bytes, bool from_worker,
             bool to_worker) const {
    const double busy = hop_cost(problem_.links[from][to], bytes).transfer;
    if (from == to) {
      loads.busiest = std::max(loads.busiest, busy);
    } else {
      loads.of[from].sending += busy;
      loads.of[to].receiving += busy;
    }
    if (from_worker) loads.of[from].processors += sending_processors(problem_.devices[from], bytes);
    if (to_worker) loads.of[to].processors += receiving_processors(problem_.devices[to], bytes);
  }
  void compute(Loads& loads, std::size_t device, const PieceCost& cost) const {
    const StageWork work = compute_work(problem_.devices[device], cost);
    loads.of[device].computing += work.computing;
    loads.of[device].processors += work.processors;
  }
  static void settle(Loads& loads) {
    for (const DeviceLoad& load : loads.of) {
      loads.busiest =
          std::max({loads.busiest, load.computing, load.processors, load.sending, load.receiving});
    }
  }

  // Stages of the pieces from a cut on, on a device whose inputs are there; `label` as it is before them.
  void run_pieces(const Label& label, Loads loads, std::size_t cut, std::size_t device) {
    const std::uint64_t budget = problem_.devices[device].memory_budget;
    Label next = label;
    next.device = device;
    next.taken |= bit(device);
    next.latency += problem_.devices[device].wake;
    if (static_cast<std::size_t>(std::popcount(next.taken)) > limits_.devices) return;
    std::uint64_t weights = 0;
    std::uint64_t activations = 0;
    next.added.push_back({{{device}}, cut, cut});
    for (std::size_t end = cut + 1; end <= pieces_; ++end) {
      const PieceCost& cost = problem_.cost[device][end - 1];
      if (!std::isfinite(cost.seconds)) return;
      compute(loads, device, cost);
      settle(loads);
      if (loads.busiest > limits_.period) return;
      next.latency += cost.seconds;
      weights += cost.weight_bytes;
      activations = std::max(activations, cost.activation_bytes);
      next.memory = label.memory + weights + activations + problem_.waiting_inputs * problem_.cut_bytes[cut] +
                    problem_.cut_bytes[end];
      if (label.memory + weights + activations > budget) return;
      if (next.memory > budget) continue;
      next.added.back().end_piece = end;
      take(next, loads, device);
      if (end < pieces_) {
        keep(end, next);
      } else if (next.forked) {
        finish(next);
      }
    }
  }

  void take(Label& label, const Loads& loads, std::size_t device) const {
    label.open = loads.of[device];
    const DeviceLoad& source = loads.of[problem_.source];
    label.sending = source.sending;
    label.receiving = source.receiving;
    // The source's link is never done until the end.
    if (device == problem_.source) label.open.sending = label.open.receiving = 0;
    label.busiest = loads.busiest;
  }

  // The next stage on a device that is free.
  void go_on(std::size_t from, std::size_t cut) {
    for (const std::size_t device : free_devices(labels_[from].taken)) {
      Label label = labels_[from];
      label.parent = from;
      label.added.clear();
      Loads loads = loads_of(label);
      const std::size_t sender = device_of(label);
      label.latency += hop_cost(problem_.links[sender][device], problem_.cut_bytes[cut]).seconds();
      if (!std::isfinite(label.latency)) continue;
      carry(loads, sender, device, problem_.cut_bytes[cut], !at_front_end(label), true);
      label.memory = 0;
      run_pieces(label, std::move(loads), cut, device);
    }
  }

  void fork(std::size_t from, std::size_t cut) {
    std::vector<BranchGroup> groups;
    share_out(from, *forks_from(cut), 0, labels_[from].taken, groups);
  }

  // Gives the branches from `branch` on to devices; `groups` have those before.
  void share_out(std::size_t from, const PlanBlock& block, std::size_t branch, std::uint64_t taken,
                 std::vector<BranchGroup>& groups) {
    if (labels_.size() > max_labels_ || deadline_.passed()) return;
    if (branch == block.branches.size()) {
      if (groups.size() > 1) join(from, block, taken, groups);
      return;
    }
    const std::size_t before = groups.size();
    for (std::size_t i = 0; i < before; ++i) {
      if (!can_take(labels_[from], block, groups[i], branch)) continue;
      groups[i].branches.push_back(branch);
      share_out(from, block, branch + 1, taken, groups);
      groups[i].branches.pop_back();
    }
    std::vector<std::size_t> fresh = free_devices(taken);
    const bool on_sender = !at_front_end(labels_[from]) &&
                           std::none_of(groups.begin(), groups.end(), [&](const BranchGroup& group) {
                             return group.device == labels_[from].device;
                           });
    if (on_sender) fresh.push_back(labels_[from].device);
    for (const std::size_t device : fresh) {
      if (!can_take(labels_[from], block, {device, {}}, branch)) continue;
      groups.push_back({device, {branch}});
      share_out(from, block, branch + 1, taken | bit(device), groups);
      groups.pop_back();
    }
  }

  bool can_take(const Label& label, const PlanBlock& block, const BranchGroup& group,
                std::size_t branch) const {
    const PieceCost& added = block.branches[branch].cost[group.device];
    if (!std::isfinite(added.seconds)) return false;
    double busy = added.busy_seconds() + (group.device == label.device ? label.open.computing : 0);
    for (const std::size_t other : group.branches)
      busy += block.branches[other].cost[group.device].busy_seconds();
    return busy <= limits_.period;
  }

  void join(std::size_t from, const PlanBlock& block, std::uint64_t taken,
            const std::vector<BranchGroup>& groups) {
    if (static_cast<std::size_t>(std::popcount(taken)) > limits_.devices) return;
    if (block.end_piece == pieces_) {
      join_on(from, block, taken, groups, devices_);
      return;
    }
    std::vector<std::size_t> meets = free_devices(taken);
    for (const BranchGroup& group : groups) meets.push_back(group.device);
    const std::size_t sender = labels_[from].device;
    const bool sender_alone =
        sender != devices_ && std::none_of(groups.begin(), groups.end(),
                                           [&](const BranchGroup& group) { return group.device == sender; });
    if (sender_alone) meets.push_back(sender);
    for (const std::size_t device : meets) join_on(from, block, taken, groups, device);
  }

  // The branches meet on a device, or at the front end.
  void join_on(std::size_t from, const PlanBlock& block, std::uint64_t taken, std::vector<BranchGroup> groups,
               std::size_t meets) {
    const bool ends = meets == devices_;
    const std::size_t to = ends ? problem_.source : meets;
    Label label = labels_[from];
    const std::size_t before = label.device;
    label.parent = from;
    label.added.clear();
    label.forked = true;
    label.taken = taken;
    const bool from_worker = !at_front_end(label);
    const std::size_t sender = device_of(label);
    order_groups(problem_, block, sender, groups, to);
    const double joined = time_block(problem_, block, sender, groups, to).joined;
    if (!std::isfinite(joined)) return;
    label.latency += joined;
    Loads loads = loads_of(label);
    std::uint64_t memory_there = meets == before && !ends ? label.memory : 0;
    for (const BranchGroup& group : groups) {
      carry(loads, sender, group.device, bytes_into(block, group.branches), from_worker, true);
      for (const std::size_t branch : group.branches)
        compute(loads, group.device, block.branches[branch].cost[group.device]);
      carry(loads, group.device, to, bytes_out_of(block, group.branches), true, !ends);
      const std::uint64_t memory = branches_memory(problem_, block, group.device, group.branches);
      const std::uint64_t held = group.device == before ? label.memory : 0;
      if (held + memory > problem_.devices[group.device].memory_budget) return;
      if (group.device == meets) memory_there = held + memory;
      label.added.push_back({{{group.device}}, block.first_piece, block.end_piece});
      label.added.back().branches = group.branches;
    }
    if (block.direct_bytes > 0) carry(loads, sender, to, block.direct_bytes, from_worker, !ends);
    settle(loads);
    if (loads.busiest > limits_.period) return;
    if (ends) {
      finish(label);
      return;
    }
    label.memory = memory_there;
    run_pieces(label, std::move(loads), block.end_piece, meets);
  }

  void finish(const Label& last) {
    if ((last.taken & required_) != required_) return;
    std::vector<PlacedStage> stages = last.added;
    for (std::size_t at = last.parent; at != kNone; at = labels_[at].parent)
      stages.insert(stages.begin(), labels_[at].added.begin(), labels_[at].added.end());
    Placement placement = evaluate_stages(problem_, std::move(stages));
    if (placement.period > limits_.period || placement.latency > limits_.latency) return;
    if (!is_feasible(problem_, placement)) return;
    // From now on only what is better counts.
    (by_rate_ ? limits_.period : limits_.latency) =
        (by_rate_ ? placement.period : placement.latency) * (1 - kRounding);
    best_ = std::move(placement);
  }

  const PlacementProblem& problem_;
  const bool by_rate_;
  const bool times_latency_;
  PipelineLimits limits_;
  const std::size_t max_labels_;
  const Deadline& deadline_;
  const std::size_t devices_;
  const std::size_t pieces_;
  const BranchWork work_;
  const BranchTables tables_;
  const DeviceKinds kinds_;
  std::uint64_t required_ = 0;
  std::vector<Label> labels_;
  // By cut, then by devices taken and last device: labels none of which dominates another.
  std::vector<std::unordered_map<std::uint64_t, std::vector<std::size_t>>> fronts_;
  std::optional<Placement> best_;
};

}  // namespace

BranchPipelineResult find_branch_pipeline(const PlacementProblem& problem, Objective goal,
                                          const PipelineLimits& limits, std::size_t max_labels,
                                          const Deadline& deadline) {
  return Search(problem, goal, limits, max_labels, deadline).run();
}

double branch_work_bound(const PlacementProblem& problem) {
  const BranchWork work(problem);
  double speed = 0;
  for (const double one : work.speed) speed += one;
  return speed > 0 ? work.rest.front() / speed : kNever;
}

}  // namespace lamina
