// Plans for people to read.
#pragma once

#include "plan/plan.h"

#include <string>

namespace lamina {

// The plan as a table for people: slice, machine, memory, predicted times.
std::string format_plan(const Plan& plan);

}  // namespace lamina
