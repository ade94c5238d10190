// What a plan is made for.
#pragma once

#include "cluster/stragglers.h"

#include <set>
#include <string>

namespace lamina {

struct Conditions {
  std::set<std::string> machines;  // that are there
  Slowness slowness = {};          // of those that are slow
  bool operator==(const Conditions&) const = default;
};

// What is other than before, for people.
std::string describe_change(const Conditions& before, const Conditions& now);

}  // namespace lamina
