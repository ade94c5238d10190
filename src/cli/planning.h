// Planning as commands share it.
#pragma once

#include "cli/plan_arguments.h"
#include "cli/wire_choice.h"
#include "deploy/fleet.h"
#include "deploy/rehearsal.h"
#include "plan/constraints.h"
#include "plan/corrections.h"
#include "plan/plan.h"
#include "plan/planner.h"
#include "slice/artifact.h"

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lamina::cli {

// What plans of one batch size are made from.
struct PlanningProblem {
  Benchmark benchmark;
  PlacementProblem problem;  // the last that was planned with: constrained and corrected
  PlanningRequest request;
  Corrections corrections = {};
};

// How devices are, other than they were measured.
struct DeviceChanges {
  std::set<std::string> gone = {};
  std::map<std::string, double> slowness = {};  // times as long as measured
};

// Makes plans, and makes them again when some have run.
class Planning {
 public:
  // Keeps model and benchmark. Error(invalid_argument) for arguments that can't be read or don't fit the
  // benchmark.
  Planning(const SlicedModel& model, const Benchmark& benchmark, std::string source,
           const PlanArguments& arguments, DeviceChanges changes = {});
  Planning(const Planning&) = delete;
  Planning& operator=(const Planning&) = delete;

  // The best `top` plans, best first, of all batch sizes that were measured and asked for. Where none keeps
  // what is asked for, the Error says which demands are in each other's way.
  std::vector<Plan> find(std::size_t top);
  // At least `top`, and `count` to run where plans can be ranked; else the best, and after each run the next.
  std::vector<Plan> find_to_run(std::size_t top, std::size_t count);
  // The same after learn(); `plans` where what was learnt leaves none that keeps what is asked for.
  std::vector<Plan> find_again(std::vector<Plan> plans, std::size_t top);
  // A plan that serves soonest now that machines of `ran` are gone (plan/stopgap.h), keeps what is asked for
  // and carries the rows a second; nothing where none was found.
  std::optional<Plan> find_stopgap(const Plan& ran, double rows_per_second) const;
  // What the plan's stages took as they ran; later plans are judged by it.
  void learn(const Plan& plan, const StageRuns& runs);

  // The share of what the objective makes small that `plan`, found here, saves against another; 1 where the
  // other no longer keeps what is asked for, as devices are now.
  double gain(const Plan& plan, const Plan& against) const;

  // What plans do without, for people: sizes, machines and links that were not or could not be measured.
  std::vector<std::string> remarks() const;

  const PlanningRequest& request() const { return request_; }  // of single requests
  const PlanningProblem& made_from(const Plan& plan) const { return by_batch_.at(plan.batch); }

 private:
  std::vector<Plan> find_of(PlanningProblem& one);
  // Of all devices as they are now, without constraints, and of the wire formats that may be used: those of
  // the plan `chosen`, if any.
  PlacementProblem problem_of(const PlanningProblem& one, const Plan* chosen = nullptr) const;

  const SlicedModel& model_;
  std::string source_;
  PlanDemands demands_;
  DeviceChanges changes_;
  bool joins_;
  WireArguments wire_arguments_;
  std::vector<std::vector<std::string>> layers_;
  Constraints constraints_;
  PlanningRequest request_;
  std::optional<WireChoice> wires_;
  std::map<std::int64_t, PlanningProblem> by_batch_;
  std::string sizes_;  // describe_sizes() of them
};

// `count` times, runs the best of `plans` that has not run yet on the fleet for a moment, says what it came
// to, learns from it and plans again. Returns the plans that ran in the order of what was measured
// (plan/measured_choice.h), then those that did not. A plan that can't run is said and left out; throws the
// first Error where none can.
std::vector<Plan> rehearse_plans(Planning& planning, std::vector<Plan> plans, std::size_t count,
                                 const SlicedModel& model, const std::string& model_hash, Fleet& fleet,
                                 const HeadOptions& head);

}  // namespace lamina::cli
