// The best shares of replicas by trying many, for brute force.
#pragma once

#include "plan/cost_model.h"
#include "plan/pipelines.h"

#include <algorithm>
#include <cstddef>
#include <functional>
#include <limits>
#include <vector>

namespace lamina {

// A replica takes a fiftieth of an even share at least.
inline double least_share_of(const PlacedStage& stage) {
  return stage.replicas.size() == 1 ? 1 : 0.02 / static_cast<double>(stage.replicas.size());
}

// The least of `figure` over the shares of all stages: on a grid that closes in on the best, from several
// beginnings. Of each stage the last replica takes what the others leave.
inline double best_over_shares(const PlacementProblem& problem, std::vector<PlacedStage> stages,
                               std::size_t return_wire,
                               const std::function<double(const Placement&)>& figure) {
  struct Free {
    std::size_t stage;
    std::size_t replica;
  };
  std::vector<Free> dimensions;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    for (std::size_t i = 0; i + 1 < stages[stage].replicas.size(); ++i) dimensions.push_back({stage, i});
  }
  const auto value_at = [&](const std::vector<double>& at) {
    for (std::size_t i = 0; i < at.size(); ++i)
      stages[dimensions[i].stage].replicas[dimensions[i].replica].share = at[i];
    for (PlacedStage& stage : stages) {
      double rest = 1;
      for (std::size_t i = 0; i + 1 < stage.replicas.size(); ++i) rest -= stage.replicas[i].share;
      stage.replicas.back().share = rest;
      for (const Replica& replica : stage.replicas) {
        if (replica.share < least_share_of(stage) * (1 - 1e-9))
          return std::numeric_limits<double>::infinity();
      }
    }
    return figure(evaluate_stages(problem, stages, return_wire));
  };
  if (dimensions.empty()) return value_at({});
  double best = std::numeric_limits<double>::infinity();
  for (const double start : {0.5, 0.2, 0.8}) {
    std::vector<double> center;
    for (const Free& free : dimensions) {
      const double replicas = static_cast<double>(stages[free.stage].replicas.size());
      center.push_back(std::min(start * 2 / replicas, 0.95 / (replicas - 1)));
    }
    double least = value_at(center);
    const int steps = dimensions.size() == 1 ? 6 : 3;
    double radius = 0.5;
    while (radius > 1e-7) {
      std::vector<int> offset(dimensions.size(), -steps);
      std::vector<double> next = center;
      bool better = false;
      while (true) {
        std::vector<double> at = center;
        for (std::size_t i = 0; i < at.size(); ++i) {
          const PlacedStage& stage = stages[dimensions[i].stage];
          at[i] = std::clamp(at[i] + radius * offset[i] / steps, least_share_of(stage), 1.0);
        }
        const double value = value_at(at);
        if (value < least * (1 - 1e-9)) {
          least = value;
          next = at;
          better = true;
        }
        std::size_t i = 0;
        while (i < offset.size() && ++offset[i] > steps) offset[i++] = -steps;
        if (i == offset.size()) break;
      }
      center = next;
      if (!better) radius *= 0.5;
    }
    best = std::min(best, least);
  }
  return best;
}

// Of a stage by itself: no shares keep its devices busy for less.
inline double least_busy(const PlacementProblem& problem, const PlacedStage& stage) {
  double speeds = 0;
  for (const Replica& replica : stage.replicas) {
    double seconds = 0;
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece)
      seconds += problem.cost[replica.device][piece].busy_seconds();
    speeds += 1 / seconds;
  }
  return 1 / speeds;
}

// The least of `figure` over all pipelines and all shares.
inline double least_over_free_shares(const PlacementProblem& problem, std::size_t replicas,
                                     const std::function<double(const Placement&)>& figure) {
  double best = std::numeric_limits<double>::infinity();
  for_every_pipeline(problem, replicas, [&](const Placement& placement) {
    best = std::min(best, best_over_shares(problem, placement.stages, placement.return_wire, figure));
  });
  return best;
}

// The shortest period over all pipelines and all shares.
inline double shortest_period_of_any_shares(const PlacementProblem& problem, std::size_t replicas) {
  double best = std::numeric_limits<double>::infinity();
  for_every_pipeline(problem, replicas, [&](const Placement& placement) {
    for (const PlacedStage& stage : placement.stages) {
      if (least_busy(problem, stage) >= best) return;
    }
    best = std::min(best, best_over_shares(problem, placement.stages, placement.return_wire,
                                           [](const Placement& shared) { return shared.period; }));
  });
  return best;
}

}  // namespace lamina
