// What a plan has to keep: "must={slice:device,…},mustnot={…},use={device,…},avoid={…},private={layers},
// bytes={from>to:size,…},time={device:duration or share,…}".
#pragma once

#include "plan/planner.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// Where pieces have to be, or must not.
struct Constraint {
  std::string pattern;  // the name of a piece or of a layer in it; '*' stands for any letters
  std::string device;
};

// The most that one hop over a link may carry.
struct LinkLimit {
  std::string from;
  std::string to;
  std::uint64_t bytes = 0;
};

// The most of a request's time that may pass on a device: seconds, or a share of the latency.
struct DeviceTime {
  std::string device;
  double seconds = std::numeric_limits<double>::infinity();
  double share = 1;
};

struct Constraints {
  std::vector<Constraint> must;
  std::vector<Constraint> must_not;
  std::vector<std::string> use;
  std::vector<std::string> avoid;
  std::size_t private_layers = 0;  // so many layers from the first on stay on the source
  std::vector<LinkLimit> bytes;
  std::vector<DeviceTime> time;
};

// Names may stand in quotes; a key may stand several times. Error(invalid_argument) quotes where the text
// breaks off.
Constraints parse_constraints(std::string_view text);

// As it would be written, one constraint each.
std::vector<std::string> to_strings(const Constraints& constraints);
// All but those whose place in to_strings() is not in `kept`.
Constraints keep_only(const Constraints& constraints, const std::vector<bool>& kept);

// Makes what is forbidden infinitely slow and marks what is required. `layers[piece]` names the layers of
// each piece. Error(invalid_argument) for a pattern that matches no piece (naming what there is), an unknown
// device, or two demands that contradict.
void apply_constraints(const Constraints& constraints, const std::vector<std::vector<std::string>>& layers,
                       PlacementProblem& problem);
// The limits of time, for the planner.
std::vector<TimeLimit> time_limits(const Constraints& constraints, const PlacementProblem& problem);

}  // namespace lamina
