#include "plan/ranked_placements.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lamina {

namespace {

std::vector<std::size_t> devices_of(const Placement& placement) {
  std::vector<std::size_t> devices;
  for (const PlacedStage& stage : placement.stages)
    devices.insert(devices.end(), stage.end_piece - stage.first_piece, stage.replicas.front().device);
  return devices;
}

}  // namespace

RankedPlacements::RankedPlacements(PlacementProblem problem, Placement best, Solve solve, Better better)
    : problem_(std::move(problem)), solve_(std::move(solve)), better_(std::move(better)) {
  std::vector<std::size_t> device_of = devices_of(best);
  parts_.push_back({std::move(best), std::move(device_of), 0, {}});
}

void RankedPlacements::add_part(const std::vector<std::size_t>& begin, std::size_t fixed,
                                std::set<std::size_t> excluded) {
  PlacementProblem problem = problem_;
  const auto forbid = [&](std::size_t device, std::size_t piece) {
    problem.cost[device][piece].seconds = std::numeric_limits<double>::infinity();
  };
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    for (std::size_t piece = 0; piece < fixed; ++piece) {
      if (begin[piece] != device) forbid(device, piece);
    }
  }
  for (const std::size_t device : excluded) forbid(device, fixed);
  std::optional<Placement> best = solve_(problem);
  if (!best) return;
  Part part{std::move(*best), {}, fixed, std::move(excluded)};
  part.device_of = devices_of(part.best);
  parts_.push_back(std::move(part));
}

std::optional<Placement> RankedPlacements::next() {
  if (parts_.empty()) return std::nullopt;
  const auto best = std::min_element(
      parts_.begin(), parts_.end(), [this](const Part& a, const Part& b) { return better_(a.best, b.best); });
  Part part = std::move(*best);
  parts_.erase(best);
  for (std::size_t piece = part.fixed; piece < part.device_of.size(); ++piece) {
    std::set<std::size_t> excluded = {part.device_of[piece]};
    if (piece == part.fixed) excluded.insert(part.excluded.begin(), part.excluded.end());
    add_part(part.device_of, piece, std::move(excluded));
  }
  return std::move(part.best);
}

}  // namespace lamina
