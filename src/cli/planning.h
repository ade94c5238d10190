// Planning as commands share it.
#pragma once

#include "cli/wire_choice.h"
#include "deploy/fleet.h"
#include "deploy/rehearsal.h"
#include "plan/plan.h"
#include "plan/planner.h"
#include "slice/artifact.h"

#include <cstdint>
#include <map>
#include <set>
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
PlanDemands demands_of(const PlanArguments& arguments);
PlanArguments arguments_of(const Plan& plan);

// What plans of one batch size were made from.
struct PlanningProblem {
  Benchmark benchmark;
  PlacementProblem problem;
  PlanningRequest request;
};

// Plans, best first.
struct Planned {
  PlanningRequest request;  // of single requests
  std::map<std::int64_t, PlanningProblem> by_batch;
  std::vector<Plan> plans;
};

// The best `top` plans, of all batch sizes that were measured and asked for. Where none keeps what is asked
// for, the Error says which demands are in each other's way. Nothing runs on devices that are `gone`.
Planned make_plans(const SlicedModel& model, const Benchmark& benchmark, const std::string& source,
                   const PlanArguments& arguments, std::size_t top = 1,
                   const std::set<std::string>& gone = {});

// Runs the first `count` plans on the fleet for a moment and puts them into the order of what was measured
// (plan/measured_choice.h), saying what each came to. A plan that can't run is said and comes last; throws
// the first Error where none can.
void rehearse_plans(Planned& planned, std::size_t count, const SlicedModel& model,
                    const std::string& model_hash, Fleet& fleet, const HeadOptions& head);

}  // namespace lamina::cli
