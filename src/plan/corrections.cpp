#include "plan/corrections.h"

#include "plan/branch_cost.h"

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
      for (const PieceCost* cost : costs_of(problem, stage, device))
        seconds += replica.share * compute_work(problem.devices[device], *cost).processors;
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

// Every piece and branch by a number: the pieces, then the branches of each block.
std::size_t first_branch(const PlacementProblem& problem, const PlanBlock& of) {
  std::size_t number = problem.pieces.size();
  for (const PlanBlock& block : problem.blocks) {
    if (&block == &of) break;
    number += block.branches.size();
  }
  return number;
}

std::vector<std::size_t> numbers_of(const PlacementProblem& problem, const PlacedStage& stage) {
  std::vector<std::size_t> numbers;
  for (const std::size_t branch : stage.branches)
    numbers.push_back(first_branch(problem, block_of(problem, stage)) + branch);
  for (std::size_t piece = stage.first_piece; stage.branches.empty() && piece < stage.end_piece; ++piece)
    numbers.push_back(piece);
  return numbers;
}

}  // namespace

void Corrections::learn(const PlacementProblem& problem, const Placement& placement, const StageRuns& runs) {
  known_.resize(problem.devices.size());
  std::size_t count = problem.pieces.size();
  for (const PlanBlock& block : problem.blocks) count += block.branches.size();
  for (auto& row : known_) row.resize(count);
  const Placement promised = evaluate_stages(problem, placement.stages, placement.return_wire);
  for (std::size_t i = 0; i < promised.stages.size(); ++i) {
    const PlacedStage& stage = promised.stages[i];
    for (std::size_t j = 0; j < stage.replicas.size(); ++j) {
      const std::size_t device = stage.replicas[j].device;
      const ReplicaRun& run = runs[i][j];
      double alone = 0;
      double busy = 0;
      for (const PieceCost* cost : costs_of(problem, stage, device)) {
        alone += cost->seconds;
        busy += cost->busy_seconds();
      }
      if (!(alone > 0) || !(busy > 0) || !std::isfinite(alone)) continue;
      Factors factors;
      factors.alone = std::max(run.seconds - problem.devices[device].wake, kLeastPart * run.seconds) / alone;
      factors.steady = factor_by_processors(problem, promised, device, run.processor_seconds);
      // Under a quota the thread that computes also stands still for what messages used up.
      const PlanDevice& of = problem.devices[device];
      const bool quota = of.processors > 0 && of.processors < of.threads;
      if (!quota) factors.steady = std::max(factors.steady, run.busy_seconds / busy);
      for (const std::size_t number : numbers_of(problem, stage)) known_[device][number] = factors;
    }
  }
}

Corrections::Factors Corrections::factors_of(std::size_t device, std::size_t number) const {
  if (known_[device][number]) return *known_[device][number];
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
  if (const auto elsewhere = mean([&](std::size_t i) { return i == number; })) return *elsewhere;
  return mean([](std::size_t) { return true; }).value_or(Factors{});
}

void Corrections::apply(PlacementProblem& problem) const {
  for (std::size_t device = 0; device < known_.size(); ++device) {
    const auto correct = [&](PieceCost& cost, std::size_t number) {
      if (!std::isfinite(cost.seconds)) return;
      const Factors factors = factors_of(device, number);
      cost.steady = cost.busy_seconds() * factors.steady;
      cost.seconds *= factors.alone;
    };
    for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece)
      correct(problem.cost[device][piece], piece);
    for (PlanBlock& block : problem.blocks) {
      for (std::size_t branch = 0; branch < block.branches.size(); ++branch)
        correct(block.branches[branch].cost[device], first_branch(problem, block) + branch);
    }
  }
}

}  // namespace lamina
