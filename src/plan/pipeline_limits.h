// What a pipeline has to keep to.
#pragma once

#include "base/clock.h"
#include "base/error.h"

#include <cstddef>
#include <limits>

namespace lamina {

struct PipelineLimits {
  double period = std::numeric_limits<double>::infinity();   // seconds
  double latency = std::numeric_limits<double>::infinity();  // seconds
  std::size_t devices = std::numeric_limits<std::size_t>::max();
};

// Called in the states of a search: Error(deadline_exceeded) once the time is up.
inline void expect_time(const Deadline& deadline, std::size_t state) {
  if (state % 64 == 0 && deadline.passed())
    fail(ErrorCode::deadline_exceeded, "no proof within the time limit of the planner");
}

}  // namespace lamina
