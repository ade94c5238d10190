#include "plan/corrections.h"

#include <algorithm>
#include <cmath>

namespace lamina {

namespace {

// Messages share a worker's processors with the pieces, which have at least so much of what was measured.
constexpr double kLeastPart = 0.1;

// What the pieces of a device's stages keep busy for a request of the whole pipeline, seconds of all its
// processors.
double processors_of_pieces(const PlacementProblem& problem, const Placement& placement, std::size_t device) {
  double seconds = 0;
  for (const PlacedStage& stage : placement.stages) {
    for (const Replica& replica : stage.replicas) {
      if (replica.device != device) continue;
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece)
        seconds += replica.share * piece_work(problem, device, piece).processors;
    }
  }
  return seconds;
}

// By the processor time of the device's worker: what messages were to take of it is not the pieces'.
double factor_by_processors(const PlacementProblem& problem, const Placement& placement, std::size_t device,
                            double processor_seconds) {
  const double pieces = processors_of_pieces(problem, placement, device);
  if (problem.devices[device].processors == 0 || pieces == 0) return 1;
  const double messages = placement.loads[device].processors - pieces;
  const double measured = processor_seconds / problem.devices[device].processors;
  return std::max(measured - messages, kLeastPart * measured) / pieces;
}

}  // namespace

void Corrections::learn(const PlacementProblem& problem, const Placement& placement, const StageRuns& runs) {
  known_.resize(problem.devices.size());
  for (auto& row : known_) row.resize(problem.pieces.size());
  const Placement promised = evaluate_stages(problem, placement.stages, placement.return_wire);
  for (std::size_t i = 0; i < promised.stages.size(); ++i) {
    const PlacedStage& stage = promised.stages[i];
    if (!stage.branches.empty()) continue;
    for (std::size_t j = 0; j < stage.replicas.size(); ++j) {
      const std::size_t device = stage.replicas[j].device;
      const ReplicaRun& run = runs[i][j];
      double alone = 0;
      double busy = 0;
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
        alone += problem.cost[device][piece].seconds;
        busy += problem.cost[device][piece].busy_seconds();
      }
      if (!(alone > 0) || !(busy > 0) || !std::isfinite(alone)) continue;
      Factors factors;
      factors.alone = std::max(run.seconds - problem.devices[device].wake, kLeastPart * run.seconds) / alone;
      factors.steady = factor_by_processors(problem, promised, device, run.processor_seconds);
      // Under a quota the thread that computes also stands still for what messages used up.
      const PlanDevice& of = problem.devices[device];
      const bool quota = of.processors > 0 && of.processors < of.threads;
      if (!quota) factors.steady = std::max(factors.steady, run.busy_seconds / busy);
      for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece)
        known_[device][piece] = factors;
    }
  }
}

Corrections::Factors Corrections::factors_of(std::size_t device, std::size_t piece) const {
  if (known_[device][piece]) return *known_[device][piece];
  const auto mean = [&](auto&& counts) {
    Factors sum{0, 0};
    double count = 0;
    for (const auto& row : known_) {
      for (std::size_t i = 0; i < row.size(); ++i) {
        if (!row[i] || !counts(i)) continue;
        sum.alone += row[i]->alone;
        sum.steady += row[i]->steady;
        ++count;
      }
    }
    return count > 0 ? std::optional(Factors{sum.alone / count, sum.steady / count}) : std::nullopt;
  };
  if (const auto same_piece = mean([&](std::size_t i) { return i == piece; })) return *same_piece;
  return mean([](std::size_t) { return true; }).value_or(Factors{});
}

void Corrections::apply(PlacementProblem& problem) const {
  for (std::size_t device = 0; device < known_.size(); ++device) {
    for (std::size_t piece = 0; piece < known_[device].size(); ++piece) {
      const Factors factors = factors_of(device, piece);
      PieceCost& cost = problem.cost[device][piece];
      if (!std::isfinite(cost.seconds)) continue;
      cost.steady = cost.busy_seconds() * factors.steady;
      cost.seconds *= factors.alone;
    }
  }
}

}  // namespace lamina
