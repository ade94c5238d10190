#include "plan/front_end_hop.h"

#include <algorithm>

namespace lamina {

namespace {

// `own`: what the front end does besides the link, before it sends or after it receives.
FrontEndHop hop_of(const PlacementProblem& problem, const std::vector<Replica>& replicas, std::size_t cut,
                   std::size_t wire, bool requests, double HopCost::*own) {
  const std::vector<Replica> source = {{problem.source}};
  const auto between = [&](const std::vector<Replica>& workers) {
    return requests ? mean_hop_cost(problem, source, workers, cut, wire)
                    : mean_hop_cost(problem, workers, source, cut, wire);
  };
  FrontEndHop front{between(replicas).seconds()};
  for (const Replica& replica : replicas) {
    const HopCost hop = between({{replica.device}});
    const double busy = replica.share * (hop.*own + hop.transfer);
    if (replica.device == problem.source) {
      front.other = std::max(front.other, busy);
    } else {
      front.source += busy;
      front.other = std::max(front.other, replica.share * hop.transfer);
    }
  }
  return front;
}

}  // namespace

FrontEndHop request_to(const PlacementProblem& problem, const std::vector<Replica>& replicas,
                       std::size_t wire) {
  return hop_of(problem, replicas, 0, wire, true, &HopCost::narrow);
}

FrontEndHop answer_from(const PlacementProblem& problem, const std::vector<Replica>& replicas,
                        std::size_t wire) {
  return hop_of(problem, replicas, problem.pieces.size(), wire, false, &HopCost::widen);
}

}  // namespace lamina
