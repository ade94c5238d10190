#include "plan/stage_sums.h"

#include <cmath>
#include <utility>

namespace lamina {

StageSums::StageSums(const PlacementProblem& problem) : problem_(&problem) {
  for (std::size_t device = 0; device < problem.devices.size(); ++device)
    devices_.push_back(sums_of(problem, device));
}

StageSums::OfDevice StageSums::sums_of(const PlacementProblem& problem, std::size_t device) {
  const std::size_t pieces = problem.pieces.size();
  std::vector<double> computing = {0};
  std::vector<double> processors = {0};
  std::vector<std::uint64_t> weights = {0};
  std::vector<std::uint64_t> activations;
  // In more digits than are kept, so that differences of sums are not wrong by what many additions lose.
  long double computed = 0;
  long double processed = 0;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    const PieceCost& cost = problem.cost[device][piece];
    const StageWork work = std::isfinite(cost.seconds) ? piece_work(problem, device, piece) : StageWork{};
    computing.push_back(static_cast<double>(computed += work.computing));
    processors.push_back(static_cast<double>(processed += work.processors));
    weights.push_back(weights.back() + cost.weight_bytes);
    activations.push_back(cost.activation_bytes);
  }
  std::vector<std::size_t> runs_until(pieces + 1, pieces);
  for (std::size_t piece = pieces; piece-- > 0;)
    runs_until[piece] = std::isfinite(problem.cost[device][piece].seconds) ? runs_until[piece + 1] : piece;
  return {std::move(computing), std::move(processors), std::move(weights),
          RangeMaximum(std::move(activations)), std::move(runs_until)};
}

}  // namespace lamina
