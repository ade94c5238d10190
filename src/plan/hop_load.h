// What a hop between two groups of devices keeps busy at least, whatever shares of requests they take.
#pragma once

#include "plan/cost_model.h"

#include <cstdint>
#include <limits>
#include <vector>

namespace lamina {

// Bytes a second of the best links of all devices together that send or receive, the source by itself.
struct HopLoad {
  double sending = 0;
  double receiving = 0;
  double source_sending = 0;
  double source_receiving = 0;
  // Of the best link.
  double round_trip = std::numeric_limits<double>::infinity();  // seconds
  double transfer = std::numeric_limits<double>::infinity();    // seconds a byte
  // That every link carries.
  std::uint64_t max_bytes = std::numeric_limits<std::uint64_t>::max();
};

HopLoad load_of(const PlacementProblem& problem, const std::vector<std::size_t>& from,
                const std::vector<std::size_t>& to);

// Whether the devices may pass on so many bytes a request within a period, if the source's link has other
// things to do for some of it. Seconds.
bool is_within(const HopLoad& hop, std::uint64_t bytes, double period, double source_sending,
               double source_receiving);

// The least time of the hop, without narrowing and widening; infinite beyond what it may carry.
double hop_seconds(const HopLoad& hop, std::uint64_t bytes);

}  // namespace lamina
