#include "plan/plan_file.h"

#include "base/error.h"
#include "base/file.h"

#include <cmath>
#include <set>
#include <utility>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-plan";
constexpr std::int64_t kVersion = 4;
constexpr std::uint64_t kMaxPlanFile = 64U << 20U;

void check_replicas(const Plan& plan, const PlannedStage& stage, const std::string& where) {
  double shares = 0;
  std::set<std::string> names;
  for (const PlannedReplica& replica : stage.replicas) {
    const bool known = std::any_of(plan.devices.begin(), plan.devices.end(),
                                   [&](const DeviceInfo& device) { return device.name == replica.device; });
    if (!known) {
      fail(ErrorCode::corrupt, "{}: stage '{}' is on '{}', which is no device of the plan", where, stage.name,
           replica.device);
    }
    if (!names.insert(replica.device).second) {
      fail(ErrorCode::corrupt, "{}: stage '{}' is on '{}' twice", where, stage.name, replica.device);
    }
    shares += replica.share;
  }
  if (!(std::abs(shares - 1) < 1e-6)) {
    fail(ErrorCode::corrupt, "{}: the shares of stage '{}' add up to {}, expected 1", where, stage.name,
         shares);
  }
}

// The branches of one block, whose stages begin with `first`, are 0 to n − 1, each in one stage. Returns the
// stage behind them.
std::size_t check_branches(const Plan& plan, std::size_t first, const std::string& where) {
  const PlannedStage& block = plan.stages[first];
  std::set<std::size_t> seen;
  std::size_t count = 0;
  std::size_t stage = first;
  for (; stage < plan.stages.size() && !plan.stages[stage].branches.empty(); ++stage) {
    const PlannedStage& one = plan.stages[stage];
    if (one.begin != block.begin) break;
    if (one.end != block.end)
      fail(ErrorCode::corrupt, "{}: the branches from cut {} end at {} and {}", where, one.begin, block.end,
           one.end);
    count += one.branches.size();
    seen.insert(one.branches.begin(), one.branches.end());
  }
  if (stage - first < 2 || seen.size() != count || *seen.rbegin() + 1 != count) {
    fail(ErrorCode::corrupt, "{}: the branches from cut {} are not in one of several stages each", where,
         block.begin);
  }
  return stage;
}

void check_stages(const Plan& plan, const std::string& where) {
  std::size_t reached = 0;
  for (std::size_t i = 0; i < plan.stages.size();) {
    const PlannedStage& stage = plan.stages[i];
    if (stage.begin != reached || stage.end <= stage.begin) {
      fail(ErrorCode::corrupt, "{}: stage '{}' goes from cut {} to {} after {}", where, stage.name,
           stage.begin, stage.end, reached);
    }
    reached = stage.end;
    i = stage.branches.empty() ? i + 1 : check_branches(plan, i, where);
  }
  for (const PlannedStage& stage : plan.stages) check_replicas(plan, stage, where);
  if (plan.stages.empty()) fail(ErrorCode::corrupt, "{}: a plan without stages", where);
}

Json to_json(const PlanDemands& demands) {
  return {{"constraints", demands.constraints},
          {"deadline", demands.deadline},
          {"min_rate", demands.min_rate},
          {"replicas", demands.replicas},
          {"batch", demands.batch},
          {"branches", demands.branches},
          {"wire", demands.wire},
          {"wire_tolerance", demands.wire_tolerance},
          {"calibration", demands.calibration}};
}

PlanDemands demands_from_json(const Json& json, const std::string& where) {
  PlanDemands demands;
  demands.constraints = json_string(json, "constraints", where);
  demands.deadline = json_string(json, "deadline", where);
  demands.min_rate = json_string(json, "min_rate", where);
  demands.replicas = json_string(json, "replicas", where);
  demands.batch = json_string(json, "batch", where);
  demands.branches = json_bool(json, "branches", where);
  demands.wire = json_string(json, "wire", where);
  demands.wire_tolerance = json_magnitude(json, "wire_tolerance", where);
  demands.calibration = json_strings(json, "calibration", where);
  return demands;
}

}  // namespace

Json to_json(const Plan& plan) {
  Json devices = Json::array();
  for (const DeviceInfo& device : plan.devices) devices.push_back(to_json(device));
  Json stages = Json::array();
  for (const PlannedStage& stage : plan.stages) {
    Json replicas = Json::array();
    for (const PlannedReplica& replica : stage.replicas)
      replicas.push_back({{"device", replica.device},
                          {"share", replica.share},
                          {"memory", replica.memory},
                          {"seconds", replica.seconds}});
    stages.push_back({{"name", stage.name},
                      {"replicas", replicas},
                      {"begin", stage.begin},
                      {"end", stage.end},
                      {"seconds", stage.seconds},
                      {"hop_seconds", stage.hop_seconds},
                      {"wire", to_string(stage.wire)},
                      {"wire_bytes", stage.wire_bytes},
                      {"starts", stage.starts}});
    if (!stage.branches.empty()) stages.back()["branches"] = stage.branches;
    if (stage.bypass_bytes > 0) stages.back()["bypass_bytes"] = stage.bypass_bytes;
    if (stage.measured_seconds) stages.back()["measured_seconds"] = *stage.measured_seconds;
  }
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"model", plan.model},
               {"model_hash", plan.model_hash},
               {"source", plan.source},
               {"objective", to_string(plan.objective)},
               {"demands", to_json(plan.demands)},
               {"batch", plan.batch},
               {"devices", devices},
               {"stages", stages},
               {"return_seconds", plan.return_seconds},
               {"return_wire", to_string(plan.return_wire)},
               {"return_wire_bytes", plan.return_wire_bytes},
               {"latency", plan.latency},
               {"period", plan.period},
               {"lower_bound", plan.lower_bound}};
  if (plan.joining) json["joining"] = {{"window", plan.joining->window}};
  if (plan.wire_difference) json["wire_difference"] = *plan.wire_difference;
  if (plan.measured)
    json["measured"] = {{"latency", plan.measured->latency}, {"period", plan.measured->period}};
  return json;
}

Plan plan_from_json(const Json& json, const std::string& where) {
  if (json_string(json, "format", where) != kFormat || json_integer(json, "version", where) != kVersion) {
    fail(ErrorCode::corrupt, "{}: format '{}' version {}, expected {} version {}", where,
         json_string(json, "format", where), json_integer(json, "version", where), kFormat, kVersion);
  }
  Plan plan;
  plan.model = json_string(json, "model", where);
  plan.model_hash = json_string(json, "model_hash", where);
  plan.source = json_string(json, "source", where);
  plan.objective = objective_from_string(json_string(json, "objective", where), where);
  if (json.contains("demands")) plan.demands = demands_from_json(json_object(json, "demands", where), where);
  plan.batch = json_integer(json, "batch", where);
  if (plan.batch < 1) fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, plan.batch);
  if (json.contains("joining"))
    plan.joining = {json_magnitude(json_object(json, "joining", where), "window", where)};
  for (const Json& device : json_array(json, "devices", where))
    plan.devices.push_back(device_from_json(device, where));
  for (const Json& stage : json_array(json, "stages", where)) {
    PlannedStage& known = plan.stages.emplace_back();
    known.name = json_string(stage, "name", where);
    known.begin = json_size(stage, "begin", where);
    known.end = json_size(stage, "end", where);
    known.seconds = json_magnitude(stage, "seconds", where);
    known.hop_seconds = json_magnitude(stage, "hop_seconds", where);
    known.wire = wire_format_from_string(json_string(stage, "wire", where), where);
    known.wire_bytes = json_size(stage, "wire_bytes", where);
    known.starts = json_magnitude(stage, "starts", where);
    if (stage.contains("branches")) {
      for (const std::int64_t branch : json_integers(stage, "branches", where)) {
        if (branch < 0) fail(ErrorCode::corrupt, "{}: branch {}, expected at least 0", where, branch);
        known.branches.push_back(static_cast<std::size_t>(branch));
      }
    }
    if (stage.contains("bypass_bytes")) known.bypass_bytes = json_size(stage, "bypass_bytes", where);
    if (stage.contains("measured_seconds"))
      known.measured_seconds = json_magnitude(stage, "measured_seconds", where);
    for (const Json& replica : json_array(stage, "replicas", where)) {
      known.replicas.push_back({json_string(replica, "device", where),
                                json_magnitude(replica, "share", where),
                                json_size(replica, "memory", where)});
      if (replica.contains("seconds"))
        known.replicas.back().seconds = json_magnitude(replica, "seconds", where);
    }
  }
  plan.return_seconds = json_magnitude(json, "return_seconds", where);
  plan.latency = json_magnitude(json, "latency", where);
  plan.period = json_magnitude(json, "period", where);
  plan.lower_bound = json_magnitude(json, "lower_bound", where);
  plan.return_wire = wire_format_from_string(json_string(json, "return_wire", where), where);
  plan.return_wire_bytes = json_size(json, "return_wire_bytes", where);
  if (json.contains("wire_difference")) plan.wire_difference = json_magnitude(json, "wire_difference", where);
  if (json.contains("measured")) {
    const Json& measured = json_object(json, "measured", where);
    plan.measured = {json_magnitude(measured, "latency", where), json_magnitude(measured, "period", where)};
  }
  check_stages(plan, where);
  return plan;
}

void save_plan(const std::filesystem::path& directory, const Plan& plan) {
  write_file(directory / "plan.json", to_json(plan).dump(1));
}

Plan load_plan(const std::filesystem::path& directory) {
  const std::filesystem::path path = directory / "plan.json";
  if (!std::filesystem::exists(path)) {
    fail(ErrorCode::not_found, "'{}' has no plan.json, which 'lamina configure' writes", directory.string());
  }
  return read_plan(path);
}

Plan read_plan(const std::filesystem::path& file) {
  return plan_from_json(parse_json(read_file(file, kMaxPlanFile), file.string()), file.string());
}

}  // namespace lamina
