#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lamina {

double work_bound(const PlacementProblem& problem, std::size_t replicas) {
  double all = 0;
  double longest = 0;
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    double least = std::numeric_limits<double>::infinity();
    for (const auto& costs : problem.cost) {
      if (std::isfinite(costs[piece].seconds)) least = std::min(least, costs[piece].busy_seconds());
    }
    all += least;
    longest = std::max(longest, least);
  }
  return std::max(all / static_cast<double>(problem.devices.size()), longest / static_cast<double>(replicas));
}

}  // namespace lamina
