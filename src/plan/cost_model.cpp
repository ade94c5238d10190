#include "plan/cost_model.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lamina {

namespace {

std::uint64_t stage_memory(const PlacementProblem& problem, const PlacedStage& stage) {
  std::uint64_t weights = 0;
  std::uint64_t activations = 0;
  for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
    const PieceCost& cost = problem.cost[stage.device][piece];
    weights += cost.weight_bytes;
    activations = std::max(activations, cost.activation_bytes);
  }
  return weights + activations + problem.cut_bytes[stage.first_piece] + problem.cut_bytes[stage.end_piece];
}

}  // namespace

double hop_seconds(const LinkCost& link, std::uint64_t bytes) {
  if (bytes == 0) return link.round_trip / 2;
  if (!(link.bandwidth > 0)) return std::numeric_limits<double>::infinity();
  return link.round_trip / 2 + static_cast<double>(bytes) / link.bandwidth;
}

Placement evaluate(const PlacementProblem& problem, const std::vector<std::size_t>& device_of) {
  Placement placement;
  std::size_t from = problem.source;
  for (std::size_t piece = 0; piece < device_of.size(); ++piece) {
    const std::size_t device = device_of[piece];
    if (piece == 0 || device_of[piece - 1] != device) {
      const double hop = hop_seconds(problem.links[from][device], problem.cut_bytes[piece]);
      const double wake = problem.devices[device].wake;
      placement.stages.push_back({device, piece, piece, wake, hop, 0});
      placement.latency += hop + wake;
      from = device;
    }
    placement.stages.back().end_piece = piece + 1;
    placement.stages.back().seconds += problem.cost[device][piece].seconds;
    placement.latency += problem.cost[device][piece].seconds;
  }
  for (PlacedStage& stage : placement.stages) stage.memory = stage_memory(problem, stage);
  placement.return_seconds = hop_seconds(problem.links[from][problem.source], problem.cut_bytes.back());
  placement.latency += placement.return_seconds;
  return placement;
}

bool is_feasible(const PlacementProblem& problem, const Placement& placement) {
  std::vector<std::uint64_t> used(problem.devices.size(), 0);
  for (const PlacedStage& stage : placement.stages) {
    if (!std::isfinite(stage.seconds) || !std::isfinite(stage.hop_seconds)) return false;
    used[stage.device] += stage.memory;
  }
  for (std::size_t device = 0; device < used.size(); ++device) {
    if (used[device] > problem.devices[device].memory_budget) return false;
  }
  return std::isfinite(placement.latency);
}

}  // namespace lamina
