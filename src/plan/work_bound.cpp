#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <vector>

namespace lamina {

namespace {

double busy_seconds(const PieceCost& cost) {
  return std::isfinite(cost.seconds) ? cost.busy_seconds() : std::numeric_limits<double>::infinity();
}

// By piece, the least over all devices, of a second that counts as much as `weight` of the device says.
std::vector<double> least_seconds(const PlacementProblem& problem, const std::vector<double>& weight) {
  std::vector<double> least(problem.pieces.size(), std::numeric_limits<double>::infinity());
  for (std::size_t device = 0; device < weight.size(); ++device) {
    for (std::size_t piece = 0; piece < least.size() && weight[device] > 0; ++piece)
      least[piece] = std::min(least[piece], weight[device] * busy_seconds(problem.cost[device][piece]));
  }
  return least;
}

// The mean speed of each device at pieces, of the quickest's.
std::vector<double> mean_speeds(const PlacementProblem& problem, const std::vector<double>& least) {
  std::vector<double> speeds;
  for (const auto& costs : problem.cost) {
    double sum = 0;
    for (std::size_t piece = 0; piece < least.size(); ++piece)
      sum += least[piece] > 0 && std::isfinite(least[piece]) ? least[piece] / busy_seconds(costs[piece]) : 1;
    speeds.push_back(sum / static_cast<double>(least.size()));
  }
  return speeds;
}

}  // namespace

// A mean of the times that devices are busy, of any weights, is no more than the period: with the weights of
// their speeds it is close where they are as much quicker at one piece as at another.
double work_bound(const PlacementProblem& problem, std::size_t replicas) {
  const std::vector<double> least = least_seconds(problem, std::vector<double>(problem.devices.size(), 1));
  const std::vector<double> speeds = mean_speeds(problem, least);
  const std::vector<double> weighted = least_seconds(problem, speeds);
  const double all = std::accumulate(weighted.begin(), weighted.end(), 0.0) /
                     std::accumulate(speeds.begin(), speeds.end(), 0.0);
  const double even = std::accumulate(least.begin(), least.end(), 0.0) / static_cast<double>(speeds.size());
  const double longest = *std::max_element(least.begin(), least.end()) / static_cast<double>(replicas);
  return std::max({all, even, longest});
}

}  // namespace lamina
