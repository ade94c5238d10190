// Random planning problems with blocks of branches, small enough for brute force.
#pragma once

#include "plan/branch_cost.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

namespace lamina {

inline constexpr double kNever = std::numeric_limits<double>::infinity();

// A random problem with a block or two.
inline PlacementProblem random_blocks(std::mt19937& random, std::size_t most_devices) {
  const auto pick = [&](std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random);
  };
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  PlacementProblem problem = random_problem(
      random, {.max_devices = most_devices, .max_pieces = 5, .tightness = real(0.4, 2), .forbidden = 0.05});
  const std::size_t pieces = problem.pieces.size();
  const std::size_t devices = problem.devices.size();
  std::size_t first = pick(0, 1);
  while (first < pieces && problem.blocks.size() < 2) {
    PlanBlock& block = problem.blocks.emplace_back();
    block.first_piece = first;
    block.end_piece = first + pick(1, std::min<std::size_t>(pieces - first, 2));
    for (std::size_t i = pick(1, 2); i > 0; --i) block.input_bytes.push_back(pick(0, 800));
    if (pick(0, 1) == 1) block.direct_bytes = pick(0, 500);
    const std::size_t branches = pick(2, problem.blocks.size() > 1 ? 2 : 3);
    for (std::size_t i = 0; i < branches; ++i) {
      PlanBranch& branch = block.branches.emplace_back();
      branch.name = "branch" + std::to_string(i);
      branch.inputs = {pick(0, block.input_bytes.size() - 1)};
      if (block.input_bytes.size() > 1 && pick(0, 1) == 1) branch.inputs = {0, 1};
      branch.output_bytes = pick(0, 800);
      const std::uint64_t weights = pick(0, 4000);
      const std::uint64_t activations = pick(0, 1000);
      for (std::size_t device = 0; device < devices; ++device) {
        const double speed = problem.cost[device][first].seconds;
        const double seconds = pick(0, 19) == 0 || !std::isfinite(speed) ? kNever : speed * real(0.1, 1);
        branch.cost.push_back({seconds, weights, activations});
      }
    }
    first = block.end_piece + pick(1, 2);
  }
  return problem;
}

// A whole placement: by piece a device, by block the device of each branch (empty: as pieces).
struct Choice {
  std::vector<std::size_t> device_of;
  std::vector<std::vector<std::size_t>> branches;
};

// Calls `visit` with every choice: pieces and branches on all devices, blocks shared out or not.
template <typename Visit>
inline void for_every_choice(const PlacementProblem& problem, Choice& choice, std::size_t piece,
                             Visit visit) {
  if (piece == problem.pieces.size()) {
    visit(choice);
    return;
  }
  const std::size_t devices = problem.devices.size();
  for (std::size_t device = 0; device < devices; ++device) {
    choice.device_of[piece] = device;
    for_every_choice(problem, choice, piece + 1, visit);
  }
  for (std::size_t i = 0; i < problem.blocks.size(); ++i) {
    const PlanBlock& block = problem.blocks[i];
    if (block.first_piece != piece) continue;
    std::vector<std::size_t> shared(block.branches.size(), 0);
    while (true) {
      // All on one device is what the pieces do.
      if (std::any_of(shared.begin(), shared.end(),
                      [&](std::size_t device) { return device != shared[0]; })) {
        choice.branches[i] = shared;
        for_every_choice(problem, choice, block.end_piece, visit);
        choice.branches[i].clear();
      }
      std::size_t branch = 0;
      while (branch < shared.size() && ++shared[branch] == devices) shared[branch++] = 0;
      if (branch == shared.size()) break;
    }
  }
}

// The same as stages, each block's groups in the order in which they are sent to.
inline std::vector<PlacedStage> stages_of(const PlacementProblem& problem, const Choice& choice) {
  std::vector<PlacedStage> stages;
  std::size_t at = problem.source;
  for (std::size_t piece = 0; piece < problem.pieces.size();) {
    const auto found =
        std::find_if(problem.blocks.begin(), problem.blocks.end(), [&](const PlanBlock& block) {
          const auto& branches = choice.branches[static_cast<std::size_t>(&block - problem.blocks.data())];
          return block.first_piece == piece && !branches.empty();
        });
    if (found == problem.blocks.end()) {
      const std::size_t device = choice.device_of[piece];
      const bool goes_on = !stages.empty() && stages.back().branches.empty() && device == at;
      if (!goes_on) stages.push_back({{{device}}, piece, piece});
      stages.back().end_piece = ++piece;
      at = device;
      continue;
    }
    const auto& branches = choice.branches[static_cast<std::size_t>(found - problem.blocks.begin())];
    const bool last = found->end_piece == problem.pieces.size();
    const std::size_t to = last ? problem.source : choice.device_of[found->end_piece];
    std::vector<BranchGroup> groups;
    for (std::size_t device = 0; device < problem.devices.size(); ++device) {
      BranchGroup group{device, {}};
      for (std::size_t branch = 0; branch < branches.size(); ++branch) {
        if (branches[branch] == device) group.branches.push_back(branch);
      }
      if (!group.branches.empty()) groups.push_back(group);
    }
    order_groups(problem, *found, at, groups, to);
    for (const BranchGroup& group : groups) {
      stages.push_back({{{group.device}}, found->first_piece, found->end_piece});
      stages.back().branches = group.branches;
    }
    piece = found->end_piece;
    at = to;
  }
  return stages;
}

}  // namespace lamina
