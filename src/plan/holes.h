// What a benchmark lacks: pieces that failed on machines, links that were not measured or carry nothing.
#pragma once

#include "plan/cost_model.h"
#include "profile/benchmark.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lamina {

// What plans do without, for people: a line for each machine and each link, with what the benchmark says of
// the cause.
std::vector<std::string> describe_holes(const Benchmark& benchmark);

// What stands in the way of plans and would not, had it been measured.
struct Hole {
  std::string text;  // "what failed on 'vm5'"
  std::function<void(PlacementProblem&)> fill;
};
// All failed pieces as one, all links without bandwidth as another. Machines that are `gone` lack nothing.
std::vector<Hole> holes_of(const Benchmark& benchmark, const std::set<std::string>& gone);

// Why a piece of `problem` can run on no machine, machine by machine; nothing where each piece can on one.
// `free` is the same problem without constraints.
std::optional<std::string> explain_stuck_piece(const Benchmark& benchmark, const PlacementProblem& free,
                                               const PlacementProblem& problem,
                                               const std::set<std::string>& gone);

}  // namespace lamina
