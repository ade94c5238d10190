// Every pipeline of a small problem, for brute force.
#pragma once

#include "plan/cost_model.h"

#include <cmath>
#include <cstddef>
#include <functional>
#include <random>
#include <vector>

namespace lamina {

// Requests go to the replicas of a stage in proportion to their speed over the pieces that all of them can
// run. Empty where there is no such piece, or it takes no time.
inline std::vector<Replica> replicas_of(const PlacementProblem& problem, unsigned devices) {
  std::vector<Replica> replicas;
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    if ((devices >> device & 1U) != 0) replicas.push_back({device});
  }
  if (replicas.size() == 1) return replicas;
  std::vector<double> seconds(replicas.size(), 0);
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    bool everywhere = true;
    for (const Replica& replica : replicas)
      everywhere = everywhere && std::isfinite(problem.cost[replica.device][piece].seconds);
    for (std::size_t i = 0; everywhere && i < replicas.size(); ++i)
      seconds[i] += problem.cost[replicas[i].device][piece].busy_seconds();
  }
  double speeds = 0;
  for (const double time : seconds) speeds += 1 / time;
  if (!std::isfinite(speeds)) return {};
  for (std::size_t i = 0; i < replicas.size(); ++i) replicas[i].share = 1 / seconds[i] / speeds;
  return replicas;
}

// Calls `visit` with the stages in every choice of allowed wires for their hops.
inline void for_every_choice_of_wires(const PlacementProblem& problem, std::vector<PlacedStage> stages,
                                      const std::function<void(const Placement&)>& visit) {
  const std::function<void(std::size_t)> choose = [&](std::size_t hop) {
    const bool back = hop == stages.size();
    const std::size_t cut = back ? problem.pieces.size() : stages[hop].first_piece;
    for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
      if (!may_travel(problem, wire, cut)) continue;
      if (back) {
        visit(evaluate_stages(problem, stages, wire));
      } else {
        stages[hop].wire = wire;
        choose(hop + 1);
      }
    }
  };
  choose(0);
}

// Calls `visit` with every pipeline whose stages have at most `replicas` replicas, every device in at most
// one stage, within memory, in every choice of wires.
inline void for_every_pipeline(const PlacementProblem& problem, std::size_t replicas,
                               const std::function<void(const Placement&)>& visit) {
  std::vector<PlacedStage> stages;
  const unsigned all = (1U << problem.devices.size()) - 1;
  const std::function<void(std::size_t, unsigned)> extend = [&](std::size_t piece, unsigned used) {
    if (piece == problem.pieces.size()) {
      for_every_choice_of_wires(problem, stages, [&](const Placement& placement) {
        if (is_feasible(problem, placement) && std::isfinite(placement.period)) visit(placement);
      });
      return;
    }
    for (unsigned group = 1; group <= all; ++group) {
      if ((group & used) != 0 || static_cast<std::size_t>(__builtin_popcount(group)) > replicas) continue;
      const std::vector<Replica> members = replicas_of(problem, group);
      if (members.empty()) continue;
      for (std::size_t end = piece + 1; end <= problem.pieces.size(); ++end) {
        stages.push_back({members, piece, end});
        extend(end, used | group);
        stages.pop_back();
      }
    }
  };
  extend(0, 0);
}

// Makes some devices copies of others, so that there are fewer kinds than devices.
inline void repeat_devices(PlacementProblem& problem, std::mt19937& random) {
  const std::size_t devices = problem.devices.size();
  std::vector<std::size_t> original(devices);
  for (std::size_t i = 0; i < devices; ++i) {
    original[i] = i == problem.source ? i : std::uniform_int_distribution<std::size_t>(0, i)(random);
    original[i] = original[i] == problem.source ? i : original[original[i]];
  }
  const PlacementProblem before = problem;
  for (std::size_t i = 0; i < devices; ++i) {
    problem.devices[i] = before.devices[original[i]];
    problem.devices[i].name = before.devices[i].name;
    problem.cost[i] = before.cost[original[i]];
    for (std::size_t j = 0; j < devices; ++j) problem.links[i][j] = before.links[original[i]][original[j]];
  }
}

}  // namespace lamina
