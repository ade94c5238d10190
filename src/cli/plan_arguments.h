// What is asked of plans, as options of commands.
#pragma once

#include "cli/wire_choice.h"
#include "plan/plan.h"
#include "plan/planner.h"
#include "profile/benchmark.h"
#include "slice/artifact.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace lamina::cli {

// What a plan is to be best at and has to keep, as options.
struct PlanArguments {
  std::string constraints;
  std::string objective = "latency";
  std::string deadline;
  std::string min_rate;
  std::string replicas = "1";
  std::string batch;  // "8" or "1..64": sizes to join requests into; empty: the benchmark's first, not joined
  bool no_branches = false;
  double time_limit = 10;
  WireArguments wire;
  void add_to(CLI::App& command);
};

// What was asked, for plan.json, and back.
PlanDemands demands_of(const PlanArguments& arguments, const Signature& signature);
PlanArguments arguments_of(const Plan& plan);

// Of single requests, for so many machines. Error(invalid_argument) that names the option.
PlanningRequest request_of(const PlanArguments& arguments, std::size_t machines);

// The sizes of --batch that were measured. Error(invalid_argument) where none was.
std::vector<std::int64_t> wanted_sizes(const Benchmark& benchmark, const std::string& range);
// Which sizes of a range those are, for people; empty where all of it was measured.
std::string describe_sizes(const Benchmark& benchmark, const std::string& range);

}  // namespace lamina::cli
