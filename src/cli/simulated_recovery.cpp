#include "cli/simulated_recovery.h"

#include "base/error.h"
#include "plan/plan_wires.h"
#include "plan/problem.h"
#include "plan/reload.h"

#include <map>
#include <memory>
#include <utility>

namespace lamina::cli {

namespace {

PlacementProblem problem_of(const Plan& plan, const Benchmark& at_its_batch) {
  PlacementProblem problem = make_problem(at_its_batch, plan.source);
  add_wires(problem, at_its_batch, plan);
  return problem;
}

Placement placement_of(const Plan& plan, const Benchmark& benchmark, PlacementProblem& problem) {
  const Benchmark at_its_batch = at_batch(benchmark, plan.batch);
  problem = problem_of(plan, at_its_batch);
  return lamina::placement_of(plan, at_its_batch, problem);
}

}  // namespace

ProblemOfRows problem_of_rows(const Plan& plan, const Benchmark& benchmark) {
  // Made when they are met.
  auto made = std::make_shared<std::map<std::int64_t, PlacementProblem>>();
  return [plan, &benchmark, made](std::size_t rows) -> const PlacementProblem& {
    const std::int64_t size = plan.joining ? static_cast<std::int64_t>(rows) : plan.batch;
    const auto known = made->find(size);
    if (known != made->end()) return known->second;
    PlacementProblem problem = make_problem_of_rows(benchmark, plan.source, size);
    add_wires(problem, at_batch(benchmark, plan.batch), plan);
    return made->emplace(size, std::move(problem)).first->second;
  };
}

SimulatedRecovery::SimulatedRecovery(const std::filesystem::path& directory, const Plan& plan,
                                     const Benchmark& benchmark)
    : plan_(plan),
      benchmark_(benchmark),
      model_(load_sliced_model(directory)),
      replanning_(directory, model_, plan) {}

SimulatedChange SimulatedRecovery::change_to(const Plan& next, const Plan& before) const {
  PlacementProblem problem;
  Loaded loaded{placement_of(before, benchmark_, problem), before.batch == next.batch};
  SimulatedChange change;
  change.placement = placement_of(next, benchmark_, problem);
  change.seconds = reload_seconds(problem, change.placement, loaded);
  // Requests are joined in front of whatever plan serves, as the first one said.
  Plan joined = next;
  joined.joining = plan_.joining;
  change.problem_of = problem_of_rows(joined, benchmark_);
  return change;
}

void SimulatedRecovery::describe(const std::string& what, const Plan& plan) {
  std::string text = what + ": ";
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& stage = plan.stages[i];
    const bool at_once = i > 0 && stage.begin == plan.stages[i - 1].begin;
    if (i > 0) text += at_once ? " ∥ " : " → ";
    for (const PlannedReplica& replica : stage.replicas)
      text += (&replica == &stage.replicas.front() ? "" : ", ") + replica.device;
  }
  described_.push_back(std::move(text));
}

std::vector<SimulatedChange> SimulatedRecovery::recover(std::size_t device, double requests_per_second) {
  described_.clear();
  Conditions left;
  for (const DeviceInfo& known : plan_.devices) {
    if (known.name != benchmark_.devices[device].name) left.machines.insert(known.name);
  }
  const double rows = requests_per_second * (plan_.joining ? 1 : static_cast<double>(plan_.batch));
  std::vector<SimulatedChange> changes;
  try {
    const std::string lost = replanning_.first().name;
    const std::optional<Blueprint> stopgap = replanning_.stopgap_for(left, lost, rows);
    const Blueprint next = stopgap ? *stopgap : replanning_.plan_for(left, "", rows);
    const Plan serving = replanning_.plan_of(next);
    changes.push_back(change_to(serving, plan_));
    describe(stopgap ? "what is loaded soonest" : "the best plan for what is left", serving);
    if (!stopgap) return changes;
    const Blueprint better = replanning_.plan_for(left, next.name, rows);
    if (better.name == next.name || better.gain < kClearGain) return changes;
    changes.push_back(change_to(replanning_.plan_of(better), serving));
    describe("the best plan for what is left", replanning_.plan_of(better));
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
  }
  return changes;
}

}  // namespace lamina::cli
