#include "cli/replanning.h"

#include "base/error.h"
#include "base/log.h"
#include "cli/steps.h"
#include "deploy/pipeline.h"

#include <algorithm>

namespace lamina::cli {

namespace {

constexpr double kTimeLimit = 1;  // seconds of one search: requests may wait meanwhile
// The share of what a plan carries that requests may take of it without piling up.
constexpr double kMostBusy = 0.8;

double rows_carried(const Plan& plan) { return kMostBusy * static_cast<double>(plan.batch) / plan.period; }

DeviceChanges changes_of(const Conditions& conditions, const Benchmark& benchmark) {
  DeviceChanges changes{.slowness = conditions.slowness};
  for (const DeviceInfo& device : benchmark.devices) {
    if (!conditions.machines.contains(device.name)) changes.gone.insert(device.name);
  }
  return changes;
}

}  // namespace

Replanning::Replanning(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan)
    : directory_(directory), model_(model), plan_(plan), model_hash_(hash_of_model(directory)) {}

Blueprint Replanning::first() { return keep(plan_, {}); }

bool Replanning::is_whole(const Conditions& conditions) const {
  return std::all_of(plan_.devices.begin(), plan_.devices.end(), [&](const DeviceInfo& device) {
    return !uses(plan_, device.name) ||
           (conditions.machines.contains(device.name) && !conditions.slowness.contains(device.name));
  });
}

PlanArguments Replanning::arguments_here() const {
  PlanArguments arguments = arguments_of(plan_);
  arguments.time_limit = kTimeLimit;
  for (std::string& file : arguments.wire.calibration) file = (directory_ / file).string();
  return arguments;
}

Blueprint Replanning::plan_for(const Conditions& conditions, const std::string& serving,
                               double rows_per_second) {
  if (is_whole(conditions)) {
    Blueprint blueprint = first();
    blueprint.gain = 1;  // as it was asked for
    return blueprint;
  }
  const Benchmark benchmark = load_benchmark(directory_);
  PlanArguments arguments = arguments_here();
  const DeviceChanges changes = changes_of(conditions, benchmark);
  const auto find = [&](const PlanArguments& wanted) {
    Planning planning(model_, benchmark, plan_.source, wanted, changes);
    const Plan plan = planning.find(1).front();
    Blueprint blueprint = keep(plan, conditions);
    if (const std::optional<Plan> served = find_made(serving)) blueprint.gain = planning.gain(plan, *served);
    return blueprint;
  };
  Blueprint blueprint = find(arguments);
  if (rows_carried(plan_of(blueprint)) >= rows_per_second) return blueprint;
  try {
    // What carries most tells, sooner than a search in vain, whether anything carries it.
    PlanArguments busiest = arguments;
    busiest.objective = to_string(Objective::throughput);
    Blueprint carries = find(busiest);
    const Plan most = plan_of(carries);
    if (rows_carried(most) >= rows_per_second) {
      const double joined = most.joining ? 1 : static_cast<double>(most.batch);
      arguments.min_rate = fmt::format("{}/s", rows_per_second / kMostBusy / joined);
      carries = find(arguments);
    }
    return carries;
  } catch (const Error& error) {
    spdlog::debug("no plan carries {:.4g} rows/s: {}", rows_per_second, error.what());
    return blueprint;
  }
}

std::optional<Blueprint> Replanning::stopgap_for(const Conditions& conditions, const std::string& lost,
                                                 double rows_per_second) {
  const std::optional<Plan> ran = find_made(lost);
  if (!ran || is_whole(conditions)) return std::nullopt;
  const Benchmark benchmark = load_benchmark(directory_);
  PlanArguments arguments = arguments_here();
  // Hops keep their formats, or send what they have as it is: to choose anew takes runs of the model.
  arguments.wire = {};
  try {
    const Planning planning(model_, benchmark, plan_.source, arguments, changes_of(conditions, benchmark));
    const std::optional<Plan> plan = planning.find_stopgap(*ran, rows_per_second);
    if (plan) return keep(*plan, conditions);
  } catch (const Error& error) {
    spdlog::debug("no stopgap: {}", error.what());
  }
  return std::nullopt;
}

Blueprint Replanning::keep(const Plan& plan, const Conditions& conditions) {
  Blueprint blueprint = make_blueprint(model_, model_hash_, plan);
  // What counts as slow is told by what a machine takes when it is not.
  for (HeadStage& stage : blueprint.stages) {
    for (HeadReplica& replica : stage.replicas) {
      const auto slow = conditions.slowness.find(replica.worker);
      if (slow != conditions.slowness.end()) replica.expected_seconds /= slow->second;
    }
  }
  const std::lock_guard lock(mutex_);
  made_[blueprint.name] = plan;
  return blueprint;
}

std::optional<Plan> Replanning::find_made(const std::string& blueprint) const {
  const std::lock_guard lock(mutex_);
  const auto made = made_.find(blueprint);
  return made == made_.end() ? std::nullopt : std::optional(made->second);
}

}  // namespace lamina::cli
