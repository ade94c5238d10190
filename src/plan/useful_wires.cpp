#include "plan/useful_wires.h"

#include <cstddef>

namespace lamina {

namespace {

// Whether `wire` costs nobody less than `other` does.
bool costs_no_less(const PlacementProblem& problem, std::size_t wire, std::size_t other, std::size_t cut) {
  if (wire_bytes(problem, wire, cut) < wire_bytes(problem, other, cut)) return false;
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    if (narrow_seconds(problem, device, wire, cut) < narrow_seconds(problem, device, other, cut) ||
        widen_seconds(problem, device, wire, cut) < widen_seconds(problem, device, other, cut))
      return false;
  }
  return true;
}

bool is_useful(const PlacementProblem& problem, std::size_t wire, std::size_t cut) {
  if (!may_travel(problem, wire, cut)) return false;
  for (std::size_t other = 0; other < wire_count(problem); ++other) {
    if (other == wire || !may_travel(problem, other, cut)) continue;
    const bool equal = costs_no_less(problem, other, wire, cut);
    if (costs_no_less(problem, wire, other, cut) && (!equal || other < wire)) return false;
  }
  return true;
}

}  // namespace

std::vector<CutSet> useful_wires(const PlacementProblem& problem) {
  std::vector<CutSet> useful;
  for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
    CutSet& cuts = useful.emplace_back(problem.cut_bytes.size());
    for (std::size_t cut = 0; cut < problem.cut_bytes.size(); ++cut) {
      if (is_useful(problem, wire, cut)) cuts.add(cut);
    }
  }
  return useful;
}

}  // namespace lamina
