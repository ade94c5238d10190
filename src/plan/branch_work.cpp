#include "plan/branch_work.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lamina {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

}  // namespace

BranchWork::BranchWork(const PlacementProblem& problem)
    : rest(problem.pieces.size() + 1, 0), speed(problem.devices.size(), 0) {
  const std::size_t devices = problem.devices.size();
  // The least time of one on any device; raises what devices can do of it in a second.
  const auto work_of = [&](auto&& cost_on) {
    double least = kNever;
    for (std::size_t device = 0; device < devices; ++device) {
      const PieceCost& cost = cost_on(device);
      if (std::isfinite(cost.seconds)) least = std::min(least, cost.busy_seconds());
    }
    for (std::size_t device = 0; device < devices; ++device) {
      const PieceCost& cost = cost_on(device);
      if (std::isfinite(cost.seconds))
        speed[device] = std::max(speed[device], cost.busy_seconds() > 0 ? least / cost.busy_seconds() : 1);
    }
    return least;
  };
  for (std::size_t piece = problem.pieces.size(); piece-- > 0;) {
    rest[piece] = rest[piece + 1] + work_of([&](std::size_t device) -> const PieceCost& {
                    return problem.cost[device][piece];
                  });
    for (const PlanBlock& block : problem.blocks) {
      if (block.first_piece != piece) continue;
      double branches = rest[block.end_piece];
      for (const PlanBranch& branch : block.branches)
        branches += work_of([&](std::size_t device) -> const PieceCost& { return branch.cost[device]; });
      rest[piece] = std::min(rest[piece], branches);
    }
  }
}

}  // namespace lamina
