// Planning as commands share it.
#pragma once

#include "deploy/fleet.h"
#include "deploy/rehearsal.h"
#include "plan/plan.h"
#include "plan/planner.h"
#include "slice/artifact.h"

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
  double time_limit = 10;
  void add_to(CLI::App& command);
};

// Plans, best first, with what they were made from.
struct Planned {
  PlacementProblem problem;
  PlanningRequest request;
  std::vector<Plan> plans;
};

// The best `top` plans. Where none keeps what is asked for, the Error says which demands are in each other's
// way.
Planned make_plans(const SlicedModel& model, const Benchmark& benchmark, const std::string& source,
                   const PlanArguments& arguments, std::size_t top = 1);

// Runs the first `count` plans on the fleet for a moment and puts them into the order of what was measured
// (plan/measured_choice.h), saying what each came to. A plan that can't run is said and comes last; throws
// the first Error where none can.
void rehearse_plans(Planned& planned, std::size_t count, const SlicedModel& model,
                    const std::string& model_hash, Fleet& fleet, const HeadOptions& head);

}  // namespace lamina::cli
