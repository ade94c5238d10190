#include "plan/machine_prices.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>

namespace lamina {

namespace {

constexpr int kRounds = 400;
constexpr double kStep = 0.3;
constexpr double kRounding = 1e-9;

// Longer stages than these keep the device busy for longer than the period or do not fit; their messages,
// inputs and outputs are left out, so that a shorter stage is never refused where a longer one is not.
std::vector<std::size_t> longest_stages(const PlacementProblem& problem, std::size_t device, double period) {
  const std::size_t pieces = problem.pieces.size();
  std::vector<std::size_t> ends(pieces);
  for (std::size_t first = 0; first < pieces; ++first) {
    StageWork work;
    std::uint64_t weights = 0;
    std::uint64_t activations = 0;
    std::size_t end = first;
    while (end < pieces && std::isfinite(problem.cost[device][end].seconds)) {
      const PieceCost& cost = problem.cost[device][end];
      const StageWork piece = piece_work(problem, device, end);
      work.computing += piece.computing;
      work.processors += piece.processors;
      weights += cost.weight_bytes;
      activations = std::max(activations, cost.activation_bytes);
      if (std::max(work.computing, work.processors) > period * (1 + kRounding) ||
          weights + activations > problem.devices[device].memory_budget)
        break;
      ++end;
    }
    ends[first] = end;
  }
  return ends;
}

std::vector<bool> passable_cuts(const PlacementProblem& problem, double period) {
  double bandwidth = 0;
  for (const auto& row : problem.links) {
    for (const LinkCost& link : row) bandwidth = std::max(bandwidth, link.bandwidth);
  }
  std::vector<bool> passable(problem.cut_bytes.size(), true);
  for (std::size_t cut = 1; cut + 1 < passable.size(); ++cut) {
    double least = std::numeric_limits<double>::infinity();
    for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
      if (may_travel(problem, wire, cut))
        least = std::min(least, static_cast<double>(wire_bytes(problem, wire, cut)));
    }
    passable[cut] = least == 0 || least / bandwidth <= period * (1 + kRounding);
  }
  return passable;
}

// The cheapest way from each cut to the end. The longer a stage the cheaper what is left, so only the longest
// counts. `taken`: how often the way from the first cut takes each device.
double cheapest_way(MachinePrices& prices, const std::vector<std::size_t>& last_passable,
                    std::vector<double>& taken) {
  const std::size_t pieces = prices.rest.size() - 1;
  std::vector<std::size_t> best(pieces, 0);
  for (std::size_t first = pieces; first-- > 0;) {
    prices.rest[first] = std::numeric_limits<double>::infinity();
    for (std::size_t device = 0; device < prices.price.size(); ++device) {
      const std::size_t end = last_passable[prices.farthest[device][first]];
      if (end <= first) continue;
      const double price = prices.price[device] + prices.rest[end];
      if (price < prices.rest[first]) {
        prices.rest[first] = price;
        best[first] = device;
      }
    }
  }
  std::fill(taken.begin(), taken.end(), 0);
  if (std::isfinite(prices.rest[0])) {
    for (std::size_t cut = 0; cut < pieces; cut = last_passable[prices.farthest[best[cut]][cut]])
      ++taken[best[cut]];
  }
  return prices.rest[0];
}

}  // namespace

MachinePrices find_machine_prices(const PlacementProblem& problem, double period, const Deadline& deadline) {
  const std::size_t devices = problem.devices.size();
  MachinePrices prices;
  for (std::size_t device = 0; device < devices; ++device)
    prices.farthest.push_back(longest_stages(problem, device, period));
  prices.passable = passable_cuts(problem, period);
  std::vector<std::size_t> last_passable(prices.passable.size(), 0);
  for (std::size_t cut = 1; cut < last_passable.size(); ++cut)
    last_passable[cut] = prices.passable[cut] ? cut : last_passable[cut - 1];

  prices.rest.assign(problem.pieces.size() + 1, 0);
  std::vector<double> weights(devices, 1);
  std::vector<double> taken(devices);
  std::vector<double> taken_in_all(devices);
  MachinePrices dearest = prices;
  double dearest_way = -1;
  for (int round = 1; round <= kRounds && !deadline.passed(); ++round) {
    double sum = 0;
    for (const double weight : weights) sum += weight;
    prices.price = weights;
    for (double& price : prices.price) price /= sum;
    const double way = cheapest_way(prices, last_passable, taken);
    if (way > dearest_way) {
      dearest_way = way;
      dearest = prices;
    }
    if (way > 1 + kRounding) break;
    double most = 0;
    double most_in_all = 0;
    for (std::size_t device = 0; device < devices; ++device) {
      taken_in_all[device] += taken[device];
      most = std::max(most, taken[device]);
      most_in_all = std::max(most_in_all, taken_in_all[device]);
    }
    // The ways so far, each for a part of the requests, take no device more than once: no prices forbid that.
    if (most_in_all <= round) break;
    for (std::size_t device = 0; device < devices; ++device)
      weights[device] = weights[device] / sum * std::exp(kStep * taken[device] / most);
  }
  dearest.possible = dearest_way <= 1 + kRounding;
  return dearest;
}

}  // namespace lamina
