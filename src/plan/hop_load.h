// What a hop between two groups of devices keeps busy.
#pragma once

#include "plan/cost_model.h"

#include <cstdint>
#include <limits>
#include <vector>

namespace lamina {

// Seconds a byte: of the source's link either way, and the most of any other device's.
struct HopLoad {
  double other = 0;
  double source_sending = 0;
  double source_receiving = 0;
  double round_trip = 0;  // mean over the shares, seconds
  double transfer = 0;    // mean over the shares, seconds a byte
  std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();
};

HopLoad load_of(const PlacementProblem& problem, const std::vector<Replica>& from,
                const std::vector<Replica>& to);

// seconds × bytes, where nothing is sent in no time over any link.
double times(double seconds, std::uint64_t bytes);

// The mean time of the hop, without narrowing and widening; infinite beyond what it may carry.
double hop_seconds(const HopLoad& hop, std::uint64_t bytes);

}  // namespace lamina
