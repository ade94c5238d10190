#include "plan/hop_load.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>

namespace lamina {

namespace {

constexpr double kRounding = 1e-12;

// Of what may take no time at all.
double carried(double bandwidth, double seconds) { return bandwidth > 0 ? bandwidth * seconds : 0; }

}  // namespace

HopLoad load_of(const PlacementProblem& problem, const std::vector<std::size_t>& from,
                const std::vector<std::size_t>& to) {
  HopLoad load;
  std::vector<double> best_into(to.size(), 0);
  for (const std::size_t sender : from) {
    double best = 0;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const LinkCost& link = problem.links[sender][to[i]];
      best = std::max(best, link.bandwidth);
      best_into[i] = std::max(best_into[i], link.bandwidth);
      load.round_trip = std::min(load.round_trip, link.round_trip);
      if (link.bandwidth > 0) load.transfer = std::min(load.transfer, 1 / link.bandwidth);
      load.max_bytes = std::min(load.max_bytes, link.bandwidth > 0 ? link.max_bytes : 0);
    }
    (sender == problem.source ? load.source_sending : load.sending) += best;
  }
  for (std::size_t i = 0; i < to.size(); ++i)
    (to[i] == problem.source ? load.source_receiving : load.receiving) += best_into[i];
  return load;
}

bool is_within(const HopLoad& hop, std::uint64_t bytes, double period, double source_sending,
               double source_receiving) {
  if (bytes == 0) return true;
  const double sent = carried(hop.sending, period) + carried(hop.source_sending, period - source_sending);
  const double received =
      carried(hop.receiving, period) + carried(hop.source_receiving, period - source_receiving);
  return bytes <= hop.max_bytes && static_cast<double>(bytes) * (1 - kRounding) <= std::min(sent, received);
}

double hop_seconds(const HopLoad& hop, std::uint64_t bytes) {
  if (bytes > hop.max_bytes) return std::numeric_limits<double>::infinity();
  return hop.round_trip / 2 + (bytes == 0 ? 0 : hop.transfer * static_cast<double>(bytes));
}

}  // namespace lamina
