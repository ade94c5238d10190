#include "plan/hop_load.h"

#include <algorithm>
#include <cstddef>
#include <limits>

namespace lamina {

namespace {

double seconds_per_byte(const LinkCost& link) {
  return link.bandwidth > 0 ? 1 / link.bandwidth : std::numeric_limits<double>::infinity();
}

}  // namespace

HopLoad load_of(const PlacementProblem& problem, const std::vector<Replica>& from,
                const std::vector<Replica>& to) {
  HopLoad load;
  std::vector<double> receiving(to.size(), 0);
  for (const Replica& sender : from) {
    double sending = 0;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const LinkCost& link = problem.links[sender.device][to[i].device];
      const double share = sender.share * to[i].share;
      const double busy = share * seconds_per_byte(link);
      load.round_trip += share * link.round_trip;
      // Also where any period is allowed, an infinite one too.
      load.max_bytes = std::min(load.max_bytes, link.bandwidth > 0 ? link.max_bytes : 0);
      load.transfer += busy;
      if (sender.device == to[i].device) {
        load.other = std::max(load.other, busy);
      } else {
        sending += busy;
        receiving[i] += busy;
      }
    }
    double& most = sender.device == problem.source ? load.source_sending : load.other;
    most = std::max(most, sending);
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    double& most = to[i].device == problem.source ? load.source_receiving : load.other;
    most = std::max(most, receiving[i]);
  }
  return load;
}

double times(double seconds, std::uint64_t bytes) {
  return bytes == 0 ? 0 : seconds * static_cast<double>(bytes);
}

double hop_seconds(const HopLoad& hop, std::uint64_t bytes) {
  if (bytes > hop.max_bytes) return std::numeric_limits<double>::infinity();
  return hop.round_trip / 2 + times(hop.transfer, bytes);
}

}  // namespace lamina
