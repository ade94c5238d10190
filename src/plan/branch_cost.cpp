#include "plan/branch_cost.h"

#include "base/error.h"

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

namespace lamina {

namespace {

// Walks through the stages in time and notes what they keep busy.
class Walk {
 public:
  Walk(const PlacementProblem& problem, std::vector<PlacedStage> stages)
      : problem_(problem), stages_(std::move(stages)), device_(problem.source) {
    placement_.loads.resize(problem.devices.size());
  }

  Placement run() {
    for (std::size_t i = 0; i < stages_.size();) {
      if (stages_[i].branches.empty()) {
        run_stage(stages_[i++]);
      } else {
        i = run_block(i);
      }
    }
    placement_.return_seconds =
        came_ ? *came_ - now_ : carry_all(problem_.source, stages_.back().end_piece, true);
    placement_.latency = now_ + placement_.return_seconds;
    for (const DeviceLoad& load : placement_.loads)
      placement_.period =
          std::max({placement_.period, load.computing, load.processors, load.sending, load.receiving});
    placement_.stages = std::move(stages_);
    return std::move(placement_);
  }

 private:
  // A message from a device, or the source's front end, to another.
  void carry(std::size_t from, std::size_t to, std::uint64_t bytes, bool to_front_end = false) {
    const double busy = hop_cost(problem_.links[from][to], bytes).transfer;
    if (from == to) {
      placement_.period = std::max(placement_.period, busy);
    } else {
      placement_.loads[from].sending += busy;
      placement_.loads[to].receiving += busy;
    }
    if (in_pipeline_) placement_.loads[from].processors += sending_processors(problem_.devices[from], bytes);
    if (!to_front_end) placement_.loads[to].processors += receiving_processors(problem_.devices[to], bytes);
  }

  void compute(const PlacedStage& stage, std::size_t device) {
    for (const PieceCost* cost : costs_of(problem_, stage, device)) {
      const StageWork work = compute_work(problem_.devices[device], *cost);
      placement_.loads[device].computing += work.computing;
      placement_.loads[device].processors += work.processors;
    }
  }

  double carry_all(std::size_t to, std::size_t cut, bool to_front_end = false) {
    carry(device_, to, problem_.cut_bytes[cut], to_front_end);
    return hop_cost(problem_, device_, to, cut).seconds();
  }

  void run_stage(PlacedStage& stage) {
    const std::size_t device = only_device(stage);
    stage.hop_seconds = came_ ? *came_ - now_ : carry_all(device, stage.first_piece);
    came_.reset();
    double pieces = 0;
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece)
      pieces += problem_.cost[device][piece].seconds;
    compute(stage, device);
    stage.begin = now_ + stage.hop_seconds;
    stage.seconds = problem_.devices[device].wake + pieces;
    stage.replicas.front().memory = stage_memory(problem_, device, stage.first_piece, stage.end_piece);
    stage.wire = 0;
    now_ = stage.begin + stage.seconds;
    device_ = device;
    in_pipeline_ = true;
  }

  // The stages of the block from `first` on; the one behind them.
  std::size_t run_block(std::size_t first) {
    const PlanBlock& block = block_of(problem_, stages_[first]);
    std::vector<BranchGroup> groups;
    std::size_t end = first;
    while (end < stages_.size() && !stages_[end].branches.empty() &&
           stages_[end].first_piece == block.first_piece) {
      groups.push_back({only_device(stages_[end]), stages_[end].branches});
      ++end;
    }
    const std::size_t to = end < stages_.size() ? only_device(stages_[end]) : problem_.source;
    const BlockTimes times = time_block(problem_, block, device_, groups, to);
    for (std::size_t i = 0; i < groups.size(); ++i) {
      PlacedStage& stage = stages_[first + i];
      const std::size_t device = groups[i].device;
      carry(device_, device, bytes_into(block, groups[i].branches));
      compute(stage, device);
      stage.wire = 0;
      stage.begin = now_ + times.begins[i];
      stage.hop_seconds = times.begins[i];
      stage.seconds = times.ends[i] - times.begins[i];
      stage.replicas.front().memory = branches_memory(problem_, block, device, groups[i].branches);
    }
    const bool to_front_end = end == stages_.size();
    if (block.direct_bytes > 0) carry(device_, to, block.direct_bytes, to_front_end);
    in_pipeline_ = true;
    for (const BranchGroup& group : groups)
      carry(group.device, to, bytes_out_of(block, group.branches), to_front_end);
    came_ = now_ + times.joined;
    now_ += *std::max_element(times.ends.begin(), times.ends.end());
    return end;
  }

  static std::size_t only_device(const PlacedStage& stage) {
    if (stage.replicas.size() == 1) return stage.replicas.front().device;
    fail(ErrorCode::unsupported, "a plan with branches has a stage of {} replicas, expected one",
         stage.replicas.size());
  }

  const PlacementProblem& problem_;
  std::vector<PlacedStage> stages_;
  Placement placement_;
  std::size_t device_;          // that sends what comes next
  bool in_pipeline_ = false;    // that device is a worker, not the source's front end
  double now_ = 0;              // the end of the last stage so far
  std::optional<double> came_;  // when all has come from the branches of a block
};

}  // namespace

bool has_branches(const std::vector<PlacedStage>& stages) {
  return std::any_of(stages.begin(), stages.end(),
                     [](const PlacedStage& stage) { return !stage.branches.empty(); });
}

const PlanBlock& block_of(const PlacementProblem& problem, const PlacedStage& stage) {
  for (const PlanBlock& block : problem.blocks) {
    if (block.first_piece == stage.first_piece && block.end_piece == stage.end_piece) return block;
  }
  fail(ErrorCode::invalid_argument, "there is no block of pieces {} to {}", stage.first_piece,
       stage.end_piece);
}

std::vector<const PieceCost*> costs_of(const PlacementProblem& problem, const PlacedStage& stage,
                                       std::size_t device) {
  std::vector<const PieceCost*> costs;
  for (const std::size_t branch : stage.branches)
    costs.push_back(&block_of(problem, stage).branches[branch].cost[device]);
  for (std::size_t piece = stage.first_piece; stage.branches.empty() && piece < stage.end_piece; ++piece)
    costs.push_back(&problem.cost[device][piece]);
  return costs;
}

std::uint64_t bytes_into(const PlanBlock& block, std::span<const std::size_t> branches) {
  std::uint64_t bytes = 0;
  for (std::size_t input = 0; input < block.input_bytes.size(); ++input) {
    const bool used = std::any_of(branches.begin(), branches.end(), [&](std::size_t branch) {
      const auto& inputs = block.branches[branch].inputs;
      return std::find(inputs.begin(), inputs.end(), input) != inputs.end();
    });
    if (used) bytes += block.input_bytes[input];
  }
  return bytes;
}

std::uint64_t bytes_out_of(const PlanBlock& block, std::span<const std::size_t> branches) {
  std::uint64_t bytes = 0;
  for (const std::size_t branch : branches) bytes += block.branches[branch].output_bytes;
  return bytes;
}

double branches_seconds(const PlanBlock& block, std::size_t device, std::span<const std::size_t> branches) {
  double seconds = 0;
  for (const std::size_t branch : branches) seconds += block.branches[branch].cost[device].seconds;
  return seconds;
}

std::uint64_t branches_memory(const PlacementProblem& problem, const PlanBlock& block, std::size_t device,
                              std::span<const std::size_t> branches) {
  std::uint64_t memory = problem.waiting_inputs * bytes_into(block, branches) + bytes_out_of(block, branches);
  for (const std::size_t branch : branches) {
    const PieceCost& cost = block.branches[branch].cost[device];
    memory += cost.weight_bytes + cost.activation_bytes;
  }
  return memory;
}

double seconds_alone(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                     const BranchGroup& group, std::size_t to) {
  return hop_cost(problem.links[from][group.device], bytes_into(block, group.branches)).seconds() +
         problem.devices[group.device].wake + branches_seconds(block, group.device, group.branches) +
         hop_cost(problem.links[group.device][to], bytes_out_of(block, group.branches)).seconds();
}

BlockTimes time_block(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                      std::span<const BranchGroup> groups, std::size_t to) {
  BlockTimes times;
  double sent = 0;  // the sender is free again
  for (const BranchGroup& group : groups) {
    const HopCost hop = hop_cost(problem.links[from][group.device], bytes_into(block, group.branches));
    sent += hop.transfer;
    times.begins.push_back(sent + hop.trip);
    times.ends.push_back(times.begins.back() + problem.devices[group.device].wake +
                         branches_seconds(block, group.device, group.branches));
  }
  struct Coming {
    double ready = 0;
    HopCost hop;
    bool shared = true;  // keeps the receiver busy
  };
  std::vector<Coming> coming;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    const std::size_t device = groups[i].device;
    coming.push_back({times.ends[i],
                      hop_cost(problem.links[device][to], bytes_out_of(block, groups[i].branches)),
                      device != to});
  }
  if (block.direct_bytes > 0)
    coming.push_back({sent, hop_cost(problem.links[from][to], block.direct_bytes), from != to});
  std::stable_sort(coming.begin(), coming.end(),
                   [](const Coming& a, const Coming& b) { return a.ready < b.ready; });
  double received = 0;  // the receiver is free again
  for (const Coming& one : coming) {
    double begin = one.ready;
    if (one.shared) {
      begin = std::max(begin, received);
      received = begin + one.hop.transfer;
    }
    times.joined = std::max(times.joined, begin + one.hop.seconds());
  }
  return times;
}

void order_groups(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                  std::vector<BranchGroup>& groups, std::size_t to) {
  const auto tail = [&](const BranchGroup& group) {
    return problem.links[from][group.device].round_trip / 2 + problem.devices[group.device].wake +
           branches_seconds(block, group.device, group.branches) +
           hop_cost(problem.links[group.device][to], bytes_out_of(block, group.branches)).seconds();
  };
  std::stable_sort(groups.begin(), groups.end(),
                   [&](const BranchGroup& a, const BranchGroup& b) { return tail(a) > tail(b); });
}

Placement evaluate_branches(const PlacementProblem& problem, std::vector<PlacedStage> stages) {
  if (!problem.wires.empty())
    fail(ErrorCode::unsupported,
         "a plan with branches in wire formats, expected tensors that travel as they are");
  return Walk(problem, std::move(stages)).run();
}

}  // namespace lamina
