#include "plan/cost_model.h"

#include "plan/branch_cost.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lamina {

namespace {

HopCost cost_in(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t cut,
                std::size_t wire) {
  HopCost hop = hop_cost(problem.links[from][to], wire_bytes(problem, wire, cut));
  hop.wire = wire;
  hop.narrow = narrow_seconds(problem, from, wire, cut);
  hop.widen = widen_seconds(problem, to, wire, cut);
  return hop;
}

// The least of the costs that `price` gives to each wire which the cut allows.
template <typename Price>
HopCost soonest(const PlacementProblem& problem, std::size_t cut, const Price& price) {
  std::optional<HopCost> best;
  for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
    if (!may_travel(problem, wire, cut)) continue;
    const HopCost hop = price(wire);
    if (!best || hop.seconds() < best->seconds()) best = hop;
  }
  return best.value();
}

// Which end of a hop is the source's front end.
struct FrontEnd {
  bool sends = false;
  bool receives = false;
};

// Carries what crosses from the devices of one stage to those of the next: the mean cost of the hop.
HopCost carry(const PlacementProblem& problem, const std::vector<Replica>& from,
              const std::vector<Replica>& to, std::size_t cut, std::optional<std::size_t> wire,
              const FrontEnd& front_end, Placement& placement) {
  const HopCost mean = mean_hop_cost(problem, from, to, cut, wire);
  for (const Replica& sender : from) {
    for (const Replica& receiver : to) {
      const HopCost hop = cost_in(problem, sender.device, receiver.device, cut, mean.wire);
      const double share = sender.share * receiver.share;
      const double sending = share * (hop.transfer + (front_end.sends ? hop.narrow : 0));
      const double receiving = share * (hop.transfer + (front_end.receives ? hop.widen : 0));
      if (sender.device == receiver.device) {
        placement.period = std::max({placement.period, sending, receiving});
      } else {
        placement.loads[sender.device].sending += sending;
        placement.loads[receiver.device].receiving += receiving;
      }
    }
  }
  return mean;
}

void add(DeviceLoad& load, const StageWork& work, double share) {
  load.computing += share * work.computing;
  load.processors += share * work.processors;
}

}  // namespace

std::size_t wire_count(const PlacementProblem& problem) {
  return std::max<std::size_t>(problem.wires.size(), 1);
}

bool may_travel(const PlacementProblem& problem, std::size_t wire, std::size_t cut) {
  return problem.wires.empty() || problem.wires[wire].allowed[cut];
}

std::uint64_t wire_bytes(const PlacementProblem& problem, std::size_t wire, std::size_t cut) {
  return problem.wires.empty() ? problem.cut_bytes[cut] : problem.wires[wire].bytes[cut];
}

double narrow_seconds(const PlacementProblem& problem, std::size_t device, std::size_t wire,
                      std::size_t cut) {
  if (problem.wires.empty()) return 0;
  return problem.devices[device].wires[wire].narrow * static_cast<double>(problem.wires[wire].values[cut]);
}

double widen_seconds(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut) {
  if (problem.wires.empty()) return 0;
  return problem.devices[device].wires[wire].widen * static_cast<double>(problem.wires[wire].values[cut]);
}

HopCost hop_cost(const LinkCost& link, std::uint64_t bytes) {
  HopCost hop;
  hop.trip = link.round_trip / 2;
  if (bytes > 0) {
    hop.transfer = link.bandwidth > 0 && bytes <= link.max_bytes ? static_cast<double>(bytes) / link.bandwidth
                                                                 : std::numeric_limits<double>::infinity();
  }
  return hop;
}

HopCost hop_cost(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t cut) {
  return soonest(problem, cut, [&](std::size_t wire) { return cost_in(problem, from, to, cut, wire); });
}

HopCost mean_hop_cost(const PlacementProblem& problem, const std::vector<Replica>& from,
                      const std::vector<Replica>& to, std::size_t cut, std::optional<std::size_t> wire) {
  const auto mean = [&](std::size_t one) {
    HopCost sum;
    sum.wire = one;
    for (const Replica& sender : from) {
      for (const Replica& receiver : to) {
        const HopCost hop = cost_in(problem, sender.device, receiver.device, cut, one);
        const double share = sender.share * receiver.share;
        sum.trip += share * hop.trip;
        sum.narrow += share * hop.narrow;
        sum.transfer += share * hop.transfer;
        sum.widen += share * hop.widen;
      }
    }
    return sum;
  };
  return wire ? mean(*wire) : soonest(problem, cut, mean);
}

StageWork compute_work(const PlanDevice& device, const PieceCost& cost) {
  const double busy = cost.busy_seconds();
  const double computing = std::min(device.threads, device.processors);
  return {busy, device.processors > 0 ? busy * computing / device.processors : 0};
}

StageWork piece_work(const PlacementProblem& problem, std::size_t device, std::size_t piece) {
  return compute_work(problem.devices[device], problem.cost[device][piece]);
}

double sending_processors(const PlanDevice& device, std::uint64_t bytes) {
  if (device.processors == 0) return 0;
  return (device.messages.send + device.messages.send_byte * static_cast<double>(bytes)) / device.processors;
}

double receiving_processors(const PlanDevice& device, std::uint64_t bytes) {
  if (device.processors == 0) return 0;
  return (device.messages.receive + device.messages.receive_byte * static_cast<double>(bytes)) /
         device.processors;
}

StageWork input_work(const PlacementProblem& problem, std::size_t device, std::size_t wire, std::size_t cut) {
  const PlanDevice& of = problem.devices[device];
  const double widen = widen_seconds(problem, device, wire, cut);
  if (of.processors == 0) return {widen, 0};
  return {widen, widen / of.processors + receiving_processors(of, wire_bytes(problem, wire, cut))};
}

StageWork output_work(const PlacementProblem& problem, std::size_t device, std::size_t wire,
                      std::size_t cut) {
  const PlanDevice& of = problem.devices[device];
  const double narrow = narrow_seconds(problem, device, wire, cut);
  if (of.processors == 0) return {narrow, 0};
  return {narrow, narrow / of.processors + sending_processors(of, wire_bytes(problem, wire, cut))};
}

void forbid_device(PlacementProblem& problem, std::size_t device) {
  constexpr double kForbidden = std::numeric_limits<double>::infinity();
  for (PieceCost& cost : problem.cost[device]) cost.seconds = kForbidden;
  for (PlanBlock& block : problem.blocks) {
    for (PlanBranch& branch : block.branches) branch.cost[device].seconds = kForbidden;
  }
}

void slow_down(PlacementProblem& problem, std::size_t device, double times) {
  const auto slow = [times](PieceCost& cost) {
    cost.seconds *= times;
    if (cost.steady) *cost.steady *= times;
  };
  std::for_each(problem.cost[device].begin(), problem.cost[device].end(), slow);
  for (PlanBlock& block : problem.blocks) {
    for (PlanBranch& branch : block.branches) slow(branch.cost[device]);
  }
  PlanDevice& slowed = problem.devices[device];
  slowed.wake *= times;
  slowed.messages.send *= times;
  slowed.messages.send_byte *= times;
  slowed.messages.receive *= times;
  slowed.messages.receive_byte *= times;
  for (WireSeconds& wire : slowed.wires) {
    wire.narrow *= times;
    wire.widen *= times;
  }
}

double seconds_on(const PlacementProblem& problem, const PlacedStage& stage, std::size_t device) {
  double alone = problem.devices[device].wake;
  double busy = 0;
  const auto add = [&](const PieceCost& cost) {
    alone += cost.seconds;
    busy += cost.busy_seconds();
  };
  for (std::size_t piece = stage.first_piece; stage.branches.empty() && piece < stage.end_piece; ++piece)
    add(problem.cost[device][piece]);
  for (const std::size_t branch : stage.branches) add(block_of(problem, stage).branches[branch].cost[device]);
  return std::max(alone, busy);
}

std::uint64_t stage_memory(const PlacementProblem& problem, std::size_t device, std::size_t first,
                           std::size_t end) {
  std::uint64_t weights = 0;
  std::uint64_t activations = 0;
  for (std::size_t piece = first; piece < end; ++piece) {
    const PieceCost& cost = problem.cost[device][piece];
    weights += cost.weight_bytes;
    activations = std::max(activations, cost.activation_bytes);
  }
  return weights + activations + problem.waiting_inputs * problem.cut_bytes[first] + problem.cut_bytes[end];
}

Placement evaluate_stages(const PlacementProblem& problem, std::vector<PlacedStage> stages,
                          std::optional<std::size_t> return_wire) {
  if (has_branches(stages)) return evaluate_branches(problem, std::move(stages));
  Placement placement;
  placement.loads.resize(problem.devices.size());
  const std::vector<Replica> source = {{problem.source}};
  const std::vector<Replica>* from = &source;
  for (PlacedStage& stage : stages) {
    const HopCost hop = carry(problem, *from, stage.replicas, stage.first_piece, stage.wire,
                              {.sends = from == &source}, placement);
    stage.hop_seconds = hop.seconds();
    stage.wire = hop.wire;
    stage.seconds = 0;
    for (Replica& replica : stage.replicas) {
      double pieces = 0;
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
        pieces += problem.cost[replica.device][piece].seconds;
        add(placement.loads[replica.device], piece_work(problem, replica.device, piece), replica.share);
      }
      stage.seconds += replica.share * (problem.devices[replica.device].wake + pieces);
      replica.memory = stage_memory(problem, replica.device, stage.first_piece, stage.end_piece);
    }
    stage.begin = placement.latency + stage.hop_seconds;
    placement.latency = stage.begin + stage.seconds;
    from = &stage.replicas;
  }
  const HopCost back =
      carry(problem, *from, source, stages.back().end_piece, return_wire, {.receives = true}, placement);
  placement.return_seconds = back.seconds();
  placement.return_wire = back.wire;
  placement.latency += placement.return_seconds;
  for (std::size_t i = 0; i < stages.size(); ++i) {
    const std::size_t out = i + 1 < stages.size() ? *stages[i + 1].wire : back.wire;
    for (const Replica& replica : stages[i].replicas) {
      DeviceLoad& load = placement.loads[replica.device];
      add(load, input_work(problem, replica.device, *stages[i].wire, stages[i].first_piece), replica.share);
      add(load, output_work(problem, replica.device, out, stages[i].end_piece), replica.share);
    }
  }
  for (const DeviceLoad& load : placement.loads) {
    placement.period =
        std::max({placement.period, load.computing, load.processors, load.sending, load.receiving});
  }
  placement.stages = std::move(stages);
  return placement;
}

Placement evaluate(const PlacementProblem& problem, const std::vector<std::size_t>& device_of) {
  std::vector<PlacedStage> stages;
  for (std::size_t piece = 0; piece < device_of.size(); ++piece) {
    if (piece == 0 || device_of[piece - 1] != device_of[piece]) {
      stages.push_back({{{device_of[piece]}}, piece, piece});
    }
    stages.back().end_piece = piece + 1;
  }
  return evaluate_stages(problem, std::move(stages));
}

bool uses(const Placement& placement, std::size_t device) {
  return std::any_of(placement.stages.begin(), placement.stages.end(), [&](const PlacedStage& stage) {
    return std::any_of(stage.replicas.begin(), stage.replicas.end(),
                       [&](const Replica& replica) { return replica.device == device; });
  });
}

std::vector<std::uint64_t> memory_of_devices(const PlacementProblem& problem, const Placement& placement) {
  std::vector<std::uint64_t> memory(problem.devices.size(), 0);
  for (const PlacedStage& stage : placement.stages) {
    for (const Replica& replica : stage.replicas) memory[replica.device] += replica.memory;
  }
  return memory;
}

double device_seconds(const PlacementProblem& problem, const Placement& placement, std::size_t device) {
  double seconds = 0;
  for (const PlacedStage& stage : placement.stages) {
    for (const Replica& replica : stage.replicas) {
      if (replica.device != device) continue;
      seconds += replica.share * problem.devices[device].wake;
      for (const PieceCost* cost : costs_of(problem, stage, device)) seconds += replica.share * cost->seconds;
    }
  }
  return seconds;
}

double load_seconds(const PlacementProblem& problem, std::size_t device, const PieceCost& cost) {
  if (!std::isfinite(cost.seconds)) return cost.seconds;
  if (device == problem.source || cost.weight_bytes == 0) return cost.load;
  return cost.load + static_cast<double>(cost.weight_bytes) / problem.links[problem.source][device].bandwidth;
}

double load_seconds(const PlacementProblem& problem, const Placement& placement) {
  std::vector<double> seconds(problem.devices.size(), 0);
  for (const PlacedStage& stage : placement.stages) {
    for (const Replica& replica : stage.replicas) {
      for (const PieceCost* cost : costs_of(problem, stage, replica.device))
        seconds[replica.device] += load_seconds(problem, replica.device, *cost);
    }
  }
  return *std::max_element(seconds.begin(), seconds.end());
}

bool is_feasible(const PlacementProblem& problem, const Placement& placement) {
  const std::vector<std::uint64_t> used = memory_of_devices(problem, placement);
  for (std::size_t device = 0; device < used.size(); ++device) {
    if (used[device] > problem.devices[device].memory_budget) return false;
    if (problem.devices[device].required && !uses(placement, device)) return false;
  }
  return std::isfinite(placement.latency);
}

}  // namespace lamina
