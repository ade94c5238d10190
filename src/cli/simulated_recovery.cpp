#include "cli/simulated_recovery.h"

#include "base/error.h"
#include "plan/explain.h"
#include "plan/plan_wires.h"
#include "plan/problem.h"
#include "plan/reload.h"

#include <map>
#include <memory>
#include <utility>

namespace lamina::cli {

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

void SimulatedRecovery::change(const std::string& what, const Plan& before, const Plan& next,
                               std::vector<SimulatedChange>& changes) {
  const Benchmark of_before = at_batch(benchmark_, before.batch);
  const Benchmark of_next = at_batch(benchmark_, next.batch);
  const PlacementProblem problem = make_problem(of_next, next);
  const Loaded loaded{placement_of(before, of_before, make_problem(of_before, before)),
                      before.batch == next.batch};
  SimulatedChange change;
  change.placement = placement_of(next, of_next, problem);
  change.seconds = reload_seconds(problem, change.placement, loaded);
  // Requests are joined in front of whatever plan serves, as the first one said.
  Plan joined = next;
  joined.joining = plan_.joining;
  change.problem_of = problem_of_rows(joined, benchmark_);
  described_.push_back(what + ": " + format_machines(problem, change.placement));
  changes.push_back(std::move(change));
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
    change(stopgap ? "what is loaded soonest" : "the best plan for what is left", plan_, serving, changes);
    if (!stopgap) return changes;
    const Blueprint better = replanning_.plan_for(left, next.name, rows);
    if (better.name == next.name || better.gain < kClearGain) return changes;
    change("the best plan for what is left", serving, replanning_.plan_of(better), changes);
  } catch (const Error& error) {
    if (!says_none_fits(error)) throw;
  }
  return changes;
}

}  // namespace lamina::cli
