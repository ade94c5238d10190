// What a plan is to be best at.
#pragma once

#include <string>
#include <string_view>

namespace lamina {

enum class Objective {
  latency,     // least time from the source and back, for one request at a time
  throughput,  // most requests a second, many under way
  memory,      // least memory on the machine that needs most of it
  devices,     // fewest machines
};

std::string_view to_string(Objective objective);
// Error(invalid_argument) that names `where` and lists what there is.
Objective objective_from_string(std::string_view name, std::string_view where);

}  // namespace lamina
