#include "plan/front_end_hop.h"

#include <algorithm>

namespace lamina {

FrontEndHop request_to(const PlacementProblem& problem, const std::vector<Replica>& replicas) {
  const std::vector<Replica> source = {{problem.source}};
  const HopCost mean = mean_hop_cost(problem, source, replicas, 0);
  FrontEndHop request{mean.wire, mean.seconds()};
  for (const Replica& replica : replicas) {
    const HopCost hop = mean_hop_cost(problem, source, {{replica.device}}, 0, mean.wire);
    const double sending = replica.share * (hop.narrow + hop.transfer);
    if (replica.device == problem.source) {
      request.other = std::max(request.other, sending);
    } else {
      request.source += sending;
      request.other = std::max(request.other, replica.share * hop.transfer);
    }
  }
  return request;
}

FrontEndHop answer_from(const PlacementProblem& problem, const std::vector<Replica>& replicas) {
  const std::vector<Replica> source = {{problem.source}};
  const std::size_t cut = problem.pieces.size();
  const HopCost mean = mean_hop_cost(problem, replicas, source, cut);
  FrontEndHop answer{mean.wire, mean.seconds()};
  for (const Replica& replica : replicas) {
    const HopCost hop = mean_hop_cost(problem, {{replica.device}}, source, cut, mean.wire);
    const double receiving = replica.share * (hop.transfer + hop.widen);
    if (replica.device == problem.source) {
      answer.other = std::max(answer.other, receiving);
    } else {
      answer.source += receiving;
      answer.other = std::max(answer.other, replica.share * hop.transfer);
    }
  }
  return answer;
}

}  // namespace lamina
