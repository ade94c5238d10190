#include "plan/front_end_hop.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lamina {

namespace {

// `own`: what the front end does besides the link, before it sends or after it receives.
FrontEndHop hop_of(const PlacementProblem& problem, const std::vector<std::size_t>& devices, std::size_t cut,
                   std::size_t wire, bool requests, double HopCost::*own) {
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  FrontEndHop front{kInfinity, kInfinity};
  double others = 0;  // requests a second, of all links that are not the source's
  for (const std::size_t device : devices) {
    const HopCost hop = requests ? mean_hop_cost(problem, {{problem.source}}, {{device}}, cut, wire)
                                 : mean_hop_cost(problem, {{device}}, {{problem.source}}, cut, wire);
    // All of them carry some.
    if (!std::isfinite(hop.seconds())) return {kInfinity};
    const bool is_source = device == problem.source;
    front.seconds = std::min(front.seconds, hop.seconds());
    front.source = std::min(front.source, is_source ? 0 : hop.*own + hop.transfer);
    others += 1 / (hop.transfer + (is_source ? hop.*own : 0));
  }
  front.other = 1 / others;
  return front;
}

}  // namespace

FrontEndHop request_to(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
                       std::size_t wire) {
  return hop_of(problem, devices, 0, wire, true, &HopCost::narrow);
}

FrontEndHop answer_from(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
                        std::size_t wire) {
  return hop_of(problem, devices, problem.pieces.size(), wire, false, &HopCost::widen);
}

}  // namespace lamina
