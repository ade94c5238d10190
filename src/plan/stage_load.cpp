#include "plan/stage_load.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lamina {

StageLoad::StageLoad(const PlacementProblem& problem, const std::vector<Replica>& replicas) {
  const std::size_t pieces = problem.pieces.size();
  const std::size_t wires = wire_count(problem);
  for (const Replica& replica : replicas) {
    const std::size_t device = replica.device;
    const auto add = [&](double StageWork::*part) {
      Servant servant;
      servant.pieces.assign(pieces + 1, 0);
      for (std::size_t piece = 0; piece < pieces; ++piece) {
        const bool runs = std::isfinite(problem.cost[device][piece].seconds);
        const double work = runs ? replica.share * (piece_work(problem, device, piece).*part) : 0;
        servant.pieces[piece + 1] = servant.pieces[piece] + work;
      }
      for (std::size_t wire = 0; wire < wires; ++wire) {
        auto& input = servant.input.emplace_back();
        auto& output = servant.output.emplace_back();
        for (std::size_t cut = 0; cut <= pieces; ++cut) {
          input.push_back(replica.share * (input_work(problem, device, wire, cut).*part));
          output.push_back(replica.share * (output_work(problem, device, wire, cut).*part));
        }
      }
      servants_.push_back(std::move(servant));
    };
    add(&StageWork::computing);
    if (problem.devices[device].processors > 0) add(&StageWork::processors);
  }
}

std::vector<CutSet> StageLoad::ends_within(double period, std::size_t input, std::size_t output,
                                           const std::vector<CutSet>& fits) const {
  const std::size_t pieces = fits.size();
  std::vector<CutSet> ends(pieces, CutSet(pieces + 1));
  for (std::size_t first = 0; first < pieces; ++first) {
    for (std::size_t end = first + 1; end <= pieces; ++end) {
      bool within = true;
      bool further = true;  // whether a longer stage may be within
      for (const Servant& servant : servants_) {
        const double busy = servant.pieces[end] - servant.pieces[first] + servant.input[input][first];
        further = further && busy <= period;
        within = within && busy + servant.output[output][end] <= period;
      }
      if (!further) break;
      if (within && fits[first].has(end)) ends[first].add(end);
    }
  }
  return ends;
}

}  // namespace lamina
