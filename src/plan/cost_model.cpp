#include "plan/cost_model.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lamina {

namespace {

// Carries what crosses from the devices of one stage to those of the next: the mean time of the hop.
double carry(const PlacementProblem& problem, const std::vector<Replica>& from,
             const std::vector<Replica>& to, std::size_t cut, Placement& placement) {
  double seconds = 0;
  for (const Replica& sender : from) {
    for (const Replica& receiver : to) {
      const HopCost hop = hop_cost(problem, sender.device, receiver.device, cut);
      const double share = sender.share * receiver.share;
      const double busy = share * hop.transfer;
      seconds += share * hop.seconds();
      if (sender.device == receiver.device) {
        placement.period = std::max(placement.period, busy);
      } else {
        placement.loads[sender.device].sending += busy;
        placement.loads[receiver.device].receiving += busy;
      }
    }
  }
  return seconds;
}

}  // namespace

HopCost hop_cost(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t cut) {
  const LinkCost& link = problem.links[from][to];
  const std::uint64_t bytes = problem.cut_bytes[cut];
  HopCost hop;
  hop.trip = link.round_trip / 2;
  if (bytes > 0) {
    hop.transfer = link.bandwidth > 0 && bytes <= link.max_bytes ? static_cast<double>(bytes) / link.bandwidth
                                                                 : std::numeric_limits<double>::infinity();
  }
  return hop;
}

void forbid_device(PlacementProblem& problem, std::size_t device) {
  for (PieceCost& cost : problem.cost[device]) cost.seconds = std::numeric_limits<double>::infinity();
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

Placement evaluate_stages(const PlacementProblem& problem, std::vector<PlacedStage> stages) {
  Placement placement;
  placement.loads.resize(problem.devices.size());
  const std::vector<Replica> source = {{problem.source}};
  const std::vector<Replica>* from = &source;
  for (PlacedStage& stage : stages) {
    stage.hop_seconds = carry(problem, *from, stage.replicas, stage.first_piece, placement);
    stage.seconds = 0;
    for (Replica& replica : stage.replicas) {
      double pieces = 0;
      double busy = 0;
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
        pieces += problem.cost[replica.device][piece].seconds;
        busy += problem.cost[replica.device][piece].busy_seconds();
      }
      stage.seconds += replica.share * (problem.devices[replica.device].wake + pieces);
      placement.loads[replica.device].computing += replica.share * busy;
      replica.memory = stage_memory(problem, replica.device, stage.first_piece, stage.end_piece);
    }
    placement.latency += stage.hop_seconds + stage.seconds;
    from = &stage.replicas;
  }
  placement.return_seconds = carry(problem, *from, source, stages.back().end_piece, placement);
  placement.latency += placement.return_seconds;
  for (const DeviceLoad& load : placement.loads) {
    placement.period = std::max({placement.period, load.computing, load.sending, load.receiving});
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
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece)
        seconds += replica.share * problem.cost[device][piece].seconds;
    }
  }
  return seconds;
}

double load_seconds(const PlacementProblem& problem, const Placement& placement) {
  double seconds = 0;
  for (const PlacedStage& stage : placement.stages) {
    for (const Replica& replica : stage.replicas) {
      std::uint64_t weights = 0;
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
        const PieceCost& cost = problem.cost[replica.device][piece];
        weights += cost.weight_bytes;
        seconds += cost.load;
      }
      const LinkCost& link = problem.links[problem.source][replica.device];
      if (replica.device != problem.source && weights > 0)
        seconds += static_cast<double>(weights) / link.bandwidth;
    }
  }
  return seconds;
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
