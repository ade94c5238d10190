// A plan as a picture: one request on its way through the machines, and the front of latency and rate.
#pragma once

#include "plan/plan.h"

#include <string>
#include <vector>

namespace lamina {

// A point of the front.
struct PlanPoint {
  double latency = 0;  // seconds
  double period = 0;   // seconds between two requests, not batches of them
};

// A standalone SVG document. Time runs to the right; every machine is a row; bars are stages, lines between
// them hops, dashed ones past the branches of a block. Below, where `front` has more than one point, latency
// against rate with the plan marked, which may lie apart from the front.
std::string plan_svg(const Plan& plan, const std::vector<PlanPoint>& front);

}  // namespace lamina
