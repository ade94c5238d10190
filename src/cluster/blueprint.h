// What is to run where.
#pragma once

#include "cluster/head_plan.h"

#include <set>
#include <string>
#include <vector>

namespace lamina {

// A plan with its stages.
struct Blueprint {
  std::string name;               // two of one name are the same
  std::vector<HeadStage> stages;  // addresses are filled in when it runs
  HeadOptions options = {};       // of the pipeline; how to listen and watch is the supervisor's
  // The share of what requests take (or whatever it is to be best at) that it is predicted to save, against
  // the plan that it was to be compared with.
  double gain = 0;
};

// A change of plan costs loading its stages: for less of a gain than this the one that serves stays.
inline constexpr double kClearGain = 0.15;

// That it uses.
std::set<std::string> machines_of(const Blueprint& blueprint);

}  // namespace lamina
