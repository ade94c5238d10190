// The hops between the source's front end and a pipeline, at least, whatever shares of requests its devices
// take.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <vector>

namespace lamina {

// A request into the first stage, or an answer out of the last one.
struct FrontEndHop {
  double seconds = 0;  // by the quickest device
  double source = 0;   // seconds that the source's link is busy
  double other = 0;    // the most of any other link
};

// In a wire that the cut allows. The front end narrows requests before it sends them and widens answers.
FrontEndHop request_to(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
                       std::size_t wire);
FrontEndHop answer_from(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
                        std::size_t wire);

}  // namespace lamina
