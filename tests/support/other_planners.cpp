#include "support/other_planners.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <queue>

namespace lamina {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
constexpr double kElementBytes = 4;

// A piece alone, as a benchmark of pieces sees it.
double measured_seconds(const PlacementProblem& problem, std::size_t device, std::size_t piece) {
  return problem.cost[device][piece].seconds + problem.devices[device].wake;
}

double seconds_to_send(double bytes, double bytes_per_second) {
  return bytes == 0 ? 0 : bytes / bytes_per_second;
}

double papdl_hop(const LinkCost& link, double size) {
  constexpr double kBitsPerByte = 8;
  return link.round_trip + seconds_to_send(size, link.bandwidth * kBitsPerByte);
}

double papdl_step(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t piece) {
  constexpr double kRepeats = 10;
  if (!std::isfinite(problem.cost[from][piece].seconds)) return kNever;
  return papdl_hop(problem.links[from][to], static_cast<double>(problem.cut_bytes[piece + 1])) +
         kRepeats * measured_seconds(problem, to, piece);
}

double papdl_way_back(const PlacementProblem& problem, std::size_t from) {
  return papdl_hop(problem.links[from][problem.source],
                   static_cast<double>(problem.cut_bytes[0]) / kElementBytes);
}

double papdl_memory(const PlacementProblem& problem, std::size_t device, std::size_t piece,
                    bool begins_block) {
  constexpr double kInputMultiplier = 6;
  const PieceCost& cost = problem.cost[device][piece];
  const double input = static_cast<double>(problem.cut_bytes[piece]) / kElementBytes;
  return static_cast<double>(cost.weight_bytes) / kElementBytes + static_cast<double>(cost.activation_bytes) +
         (begins_block ? kInputMultiplier * input : 0);
}

// Where the last block begins if PAPDL loses it, or else the end.
std::size_t papdl_deployed(const PlacementProblem& problem, const std::vector<std::size_t>& device_of) {
  if (device_of.back() != problem.source) return device_of.size();
  std::size_t begin = device_of.size() - 1;
  while (begin > 0 && device_of[begin - 1] == problem.source) --begin;
  return begin == 0 ? device_of.size() : begin;
}

class PapdlSearch {
 public:
  explicit PapdlSearch(const PlacementProblem& problem)
      : problem_(problem),
        devices_(problem.devices.size()),
        pieces_(problem.pieces.size()),
        fronts_(pieces_ * devices_) {
    find_completions();
    find_tight_devices();
  }

  std::optional<OtherPlan> run(std::size_t max_labels) {
    using Entry = std::pair<double, std::size_t>;  // bound, label
    std::priority_queue<Entry, std::vector<Entry>, std::greater<>> open;
    const auto extend_everywhere = [&](std::size_t label) {
      for (std::size_t device = 0; device < devices_; ++device) {
        if (extend(label, device)) open.emplace(bound_of(labels_.size() - 1), labels_.size() - 1);
      }
    };
    labels_.push_back({0, kNone, 0, problem_.source, std::vector<double>(devices_, 0)});
    extend_everywhere(0);
    while (!open.empty() && labels_.size() <= max_labels) {
      const auto [bound, label] = open.top();
      open.pop();
      if (labels_[label].pieces == pieces_) return plan_of(label, bound);
      extend_everywhere(label);
    }
    return std::nullopt;
  }

 private:
  struct Label {
    double penalty = 0;
    std::size_t parent = kNone;
    std::size_t pieces = 0;
    std::size_t device = 0;
    std::vector<double> used;  // of tight devices
  };

  // The least penalty that is still to come, memory left aside.
  void find_completions() {
    completion_.assign(pieces_ + 1, std::vector<double>(devices_, kNever));
    for (std::size_t from = 0; from < devices_; ++from)
      completion_[pieces_][from] = papdl_way_back(problem_, from);
    for (std::size_t piece = pieces_; piece-- > 0;) {
      for (std::size_t from = 0; from < devices_; ++from) {
        for (std::size_t to = 0; to < devices_; ++to) {
          completion_[piece][from] = std::min(
              completion_[piece][from], papdl_step(problem_, from, to, piece) + completion_[piece + 1][to]);
        }
      }
    }
  }

  // The memory of devices that hold everything needs no comparing.
  void find_tight_devices() {
    for (std::size_t device = 0; device < devices_; ++device) {
      double most = 0;
      for (std::size_t piece = 0; piece < pieces_; ++piece)
        most += papdl_memory(problem_, device, piece, true);
      is_tight_.push_back(most > static_cast<double>(problem_.devices[device].memory_budget));
    }
  }

  double bound_of(std::size_t label) const {
    return labels_[label].penalty + completion_[labels_[label].pieces][labels_[label].device];
  }

  bool extend(std::size_t from, std::size_t device) {
    Label label = labels_[from];
    const std::size_t piece = label.pieces++;
    const bool begins_block = piece == 0 || label.device != device;
    label.penalty += papdl_step(problem_, label.device, device, piece);
    label.parent = from;
    label.device = device;
    if (!std::isfinite(label.penalty + completion_[label.pieces][device])) return false;
    if (is_tight_[device]) {
      label.used[device] += papdl_memory(problem_, device, piece, begins_block);
      if (label.used[device] > static_cast<double>(problem_.devices[device].memory_budget)) return false;
    }
    auto& front = fronts_[piece * devices_ + device];
    const auto no_worse = [this](const Label& a, const Label& b) {
      if (a.penalty > b.penalty) return false;
      for (std::size_t i = 0; i < devices_; ++i) {
        if (a.used[i] > b.used[i]) return false;
      }
      return true;
    };
    for (const std::size_t other : front) {
      if (no_worse(labels_[other], label)) return false;
    }
    std::erase_if(front, [&](std::size_t other) { return no_worse(label, labels_[other]); });
    front.push_back(labels_.size());
    labels_.push_back(std::move(label));
    return true;
  }

  OtherPlan plan_of(std::size_t label, double penalty) const {
    OtherPlan plan{std::vector<std::size_t>(pieces_), penalty, 0};
    for (std::size_t id = label; labels_[id].pieces > 0; id = labels_[id].parent)
      plan.device_of[labels_[id].pieces - 1] = labels_[id].device;
    plan.deployed = papdl_deployed(problem_, plan.device_of);
    return plan;
  }

  const PlacementProblem& problem_;
  std::size_t devices_;
  std::size_t pieces_;
  std::vector<std::vector<double>> completion_;  // [pieces done][device]
  std::vector<bool> is_tight_;
  std::vector<Label> labels_;
  std::vector<std::vector<std::size_t>> fronts_;
};

// What PipeEdge's file of device types says of one.
struct PipeEdgeType {
  std::size_t device = 0;  // whose times and memory these are
  double bandwidth = 0;    // bytes a second, in PipeEdge's megabits
};

class PipeEdgeSearch {
 public:
  PipeEdgeSearch(const PlacementProblem& problem, const std::vector<std::size_t>& type_of)
      : problem_(problem), pieces_(problem.pieces.size()) {
    for (std::size_t type = 0; type <= *std::max_element(type_of.begin(), type_of.end()); ++type) {
      auto& machines = machines_.emplace_back();
      for (std::size_t device = 0; device < type_of.size(); ++device) {
        if (type_of[device] == type) machines.push_back(device);
      }
      listed_.insert(listed_.end(), machines.size(), describe(machines.front()));
      place_.push_back(used_sets_);
      used_sets_ *= machines.size() + 1;
    }
    const std::size_t states = (pieces_ + 1) * used_sets_ * machines_.size();
    least_.assign(states, kNever);
    came_from_.resize(states);
  }

  std::optional<OtherPlan> run() {
    for (std::size_t type = 0; type < machines_.size(); ++type) least_[state(0, 0, type)] = 0;
    for (std::size_t begin = 0; begin < pieces_; ++begin) {
      for (std::size_t used = 0; used < used_sets_; ++used) {
        for (std::size_t type = 0; type < machines_.size(); ++type) {
          // What is no better than the best found can't become better.
          if (least_[state(begin, used, type)] < best_ && is_left(used, type)) place(begin, used, type);
        }
      }
    }
    if (!std::isfinite(best_)) return std::nullopt;
    return read_back();
  }

 private:
  struct Step {
    std::size_t begin = 0;
    std::size_t type = 0;
  };

  // PipeEdge gives each type one bandwidth, so its best link must speak for all.
  PipeEdgeType describe(std::size_t device) const {
    constexpr double kPipeEdgeMegabit = 1024.0 * 1024.0;
    double bandwidth = 0;
    for (std::size_t to = 0; to < problem_.devices.size(); ++to) {
      if (to != device) bandwidth = std::max(bandwidth, problem_.links[device][to].bandwidth);
    }
    return {device, bandwidth * kPipeEdgeMegabit / 1e6};
  }

  // The mistake: a type's number is no place in a list of machines.
  const PipeEdgeType& figures_of(std::size_t type) const { return listed_[type]; }

  std::size_t state(std::size_t begin, std::size_t used, std::size_t type) const {
    return (begin * used_sets_ + used) * machines_.size() + type;
  }

  bool is_left(std::size_t used, std::size_t type) const {
    return used / place_[type] % (machines_[type].size() + 1) < machines_[type].size();
  }

  bool fits(std::size_t begin, std::size_t end, std::size_t type) const {
    const std::size_t device = figures_of(type).device;
    double memory = 0;
    for (std::size_t piece = begin; piece < end; ++piece)
      memory += static_cast<double>(problem_.cost[device][piece].weight_bytes);
    // Two buffers to receive, except for the input, two to send, one each to work with.
    memory += (begin > 0 ? 3.0 : 1.0) * static_cast<double>(problem_.cut_bytes[begin]);
    memory += 3.0 * static_cast<double>(problem_.cut_bytes[end]);
    return static_cast<double>(problem_.devices[device].memory_budget) > memory;
  }

  void place(std::size_t begin, std::size_t used, std::size_t type) {
    const double before = least_[state(begin, used, type)];
    double seconds = 0;
    for (std::size_t end = begin + 1; end <= pieces_; ++end) {
      seconds += measured_seconds(problem_, figures_of(type).device, end - 1);
      if (!fits(begin, end, type)) continue;
      const double busiest = std::max(before, seconds);
      if (end == pieces_) {
        if (busiest >= best_) return;
        best_ = busiest;
        best_end_ = {begin, type};
        best_used_ = used;
        return;
      }
      for (std::size_t next = 0; next < machines_.size(); ++next) {
        if (!is_left(used, next)) continue;
        const double bandwidth = std::min(figures_of(type).bandwidth, figures_of(next).bandwidth);
        const double hop = seconds_to_send(static_cast<double>(problem_.cut_bytes[end]), bandwidth);
        const double cost = std::max(busiest, hop);
        const std::size_t to = state(end, used + place_[type], next);
        if (cost >= least_[to]) continue;
        least_[to] = cost;
        came_from_[to] = {begin, type};
      }
    }
  }

  OtherPlan read_back() const {
    struct Stage {
      std::size_t begin;
      std::size_t end;
      std::size_t type;
    };
    std::vector<Stage> stages{{best_end_.begin, pieces_, best_end_.type}};
    std::size_t used = best_used_;
    while (stages.back().begin > 0) {
      const Stage& last = stages.back();
      const Step step = came_from_[state(last.begin, used, last.type)];
      used -= place_[step.type];
      stages.push_back({step.begin, last.begin, step.type});
    }
    OtherPlan plan{std::vector<std::size_t>(pieces_), best_, pieces_};
    std::vector<std::size_t> taken(machines_.size(), 0);
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      const std::size_t device = machines_[stage->type][taken[stage->type]++];
      for (std::size_t piece = stage->begin; piece < stage->end; ++piece) plan.device_of[piece] = device;
    }
    return plan;
  }

  const PlacementProblem& problem_;
  std::size_t pieces_;
  std::vector<std::vector<std::size_t>> machines_;  // [type]
  std::vector<PipeEdgeType> listed_;                // a type as often as it has machines
  std::vector<std::size_t> place_;                  // of a type in the number of a set of used machines
  std::size_t used_sets_ = 1;
  std::vector<double> least_;    // by state: the bottleneck before the stage of this type
  std::vector<Step> came_from_;  // by state: the stage before
  double best_ = kNever;
  Step best_end_;
  std::size_t best_used_ = 0;
};

}  // namespace

double papdl_penalty(const PlacementProblem& problem, const std::vector<std::size_t>& device_of) {
  std::vector<double> used(problem.devices.size(), 0);
  std::size_t from = problem.source;
  double penalty = 0;
  for (std::size_t piece = 0; piece < device_of.size(); ++piece) {
    const std::size_t device = device_of[piece];
    penalty += papdl_step(problem, from, device, piece);
    used[device] += papdl_memory(problem, device, piece, piece == 0 || from != device);
    if (used[device] > static_cast<double>(problem.devices[device].memory_budget)) return kNever;
    from = device;
  }
  return penalty + papdl_way_back(problem, from);
}

std::optional<OtherPlan> plan_like_papdl(const PlacementProblem& problem, std::size_t max_labels) {
  return PapdlSearch(problem).run(max_labels);
}

std::optional<OtherPlan> plan_like_pipeedge(const PlacementProblem& problem,
                                            const std::vector<std::size_t>& type_of) {
  return PipeEdgeSearch(problem, type_of).run();
}

std::optional<OtherPlan> plan_like_scission(const PlacementProblem& problem,
                                            const std::vector<Tier>& tier_of) {
  const std::size_t pieces = problem.pieces.size();
  const auto of_tier = [&](Tier tier) {
    std::vector<std::size_t> machines;
    for (std::size_t i = 0; i < tier_of.size(); ++i) {
      if (tier_of[i] == tier) machines.push_back(i);
    }
    return machines;
  };
  const auto block = [&](std::size_t machine, std::size_t begin, std::size_t end) {
    double seconds = 0;
    for (std::size_t piece = begin; piece < end; ++piece)
      seconds += measured_seconds(problem, machine, piece);
    return seconds;
  };
  const auto hop = [&](std::size_t from, std::size_t to, std::size_t cut) {
    const LinkCost& link = problem.links[from][to];
    return link.round_trip + seconds_to_send(static_cast<double>(problem.cut_bytes[cut]), link.bandwidth);
  };
  OtherPlan best{{}, kNever, pieces};
  // The device has the pieces before `x`, the edge those before `y`, the cloud the rest.
  const auto consider = [&](std::size_t device, std::size_t edge, std::size_t cloud, std::size_t x,
                            std::size_t y) {
    double seconds = block(device, 0, x) + block(edge, x, y) + block(cloud, y, pieces);
    if (x < y) seconds += hop(device, edge, x);
    if (y < pieces) seconds += hop(x < y ? edge : device, cloud, y);
    if (!(seconds < best.belief)) return;
    best.belief = seconds;
    best.device_of.assign(pieces, cloud);
    std::fill_n(best.device_of.begin(), y, edge);
    std::fill_n(best.device_of.begin(), x, device);
  };
  for (const std::size_t device : of_tier(Tier::device)) {
    for (const std::size_t edge : of_tier(Tier::edge)) {
      for (const std::size_t cloud : of_tier(Tier::cloud)) {
        for (std::size_t x = 0; x <= pieces; ++x) {
          for (std::size_t y = x; y <= pieces; ++y) consider(device, edge, cloud, x, y);
        }
      }
    }
  }
  if (!std::isfinite(best.belief)) return std::nullopt;
  return best;
}

}  // namespace lamina
