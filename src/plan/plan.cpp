#include "plan/plan.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"

#include <algorithm>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-plan";
constexpr std::int64_t kVersion = 1;
constexpr std::uint64_t kMaxPlanFile = 64U << 20U;

double positive_number(const Json& json, const std::string& key, const std::string& where) {
  const double value = json_number(json, key, where);
  if (value < 0) fail(ErrorCode::corrupt, "{}: '{}' is {}, expected at least 0", where, key, value);
  return value;
}

std::string stage_name(const Benchmark& benchmark, const PlacedStage& stage) {
  const auto first_layer = [](const std::string& name) { return name.substr(0, name.find(" … ")); };
  const auto last_layer = [](const std::string& name) {
    const std::size_t dots = name.find(" … ");
    return dots == std::string::npos ? name : name.substr(dots + std::string_view(" … ").size());
  };
  const std::string first = first_layer(benchmark.pieces[stage.first_piece].name);
  const std::string last = last_layer(benchmark.pieces[stage.end_piece - 1].name);
  return first == last ? first : first + " … " + last;
}

void check_stages(const Plan& plan, const std::string& where) {
  std::size_t reached = 0;
  for (const PlannedStage& stage : plan.stages) {
    if (stage.begin != reached || stage.end <= stage.begin) {
      fail(ErrorCode::corrupt, "{}: stage '{}' goes from cut {} to {} after {}", where, stage.name,
           stage.begin, stage.end, reached);
    }
    reached = stage.end;
    const bool known = std::any_of(plan.devices.begin(), plan.devices.end(),
                                   [&](const DeviceInfo& device) { return device.name == stage.device; });
    if (!known)
      fail(ErrorCode::corrupt, "{}: stage '{}' is on '{}', which is no device of the plan", where, stage.name,
           stage.device);
  }
  if (plan.stages.empty()) fail(ErrorCode::corrupt, "{}: a plan without stages", where);
}

}  // namespace

Plan make_plan(const Benchmark& benchmark, const std::string& source, const PlannedPlacement& planned) {
  Plan plan;
  plan.model = benchmark.model;
  plan.model_hash = benchmark.model_hash;
  plan.source = source;
  plan.batch = benchmark.batch;
  plan.devices = benchmark.devices;
  plan.return_seconds = planned.placement.return_seconds;
  plan.latency = planned.placement.latency;
  plan.lower_bound = planned.lower_bound;
  for (const PlacedStage& stage : planned.placement.stages) {
    plan.stages.push_back({stage_name(benchmark, stage), benchmark.devices[stage.device].name,
                           benchmark.pieces[stage.first_piece].begin,
                           benchmark.pieces[stage.end_piece - 1].end, stage.seconds, stage.hop_seconds,
                           stage.memory});
  }
  return plan;
}

Json to_json(const Plan& plan) {
  Json devices = Json::array();
  for (const DeviceInfo& device : plan.devices) devices.push_back(to_json(device));
  Json stages = Json::array();
  for (const PlannedStage& stage : plan.stages) {
    stages.push_back({{"name", stage.name},
                      {"device", stage.device},
                      {"begin", stage.begin},
                      {"end", stage.end},
                      {"seconds", stage.seconds},
                      {"hop_seconds", stage.hop_seconds},
                      {"memory", stage.memory}});
  }
  return {{"format", kFormat},       {"version", kVersion},
          {"model", plan.model},     {"model_hash", plan.model_hash},
          {"source", plan.source},   {"objective", plan.objective},
          {"batch", plan.batch},     {"devices", devices},
          {"stages", stages},        {"return_seconds", plan.return_seconds},
          {"latency", plan.latency}, {"lower_bound", plan.lower_bound}};
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
  plan.objective = json_string(json, "objective", where);
  plan.batch = json_integer(json, "batch", where);
  if (plan.batch < 1) fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, plan.batch);
  for (const Json& device : json_array(json, "devices", where))
    plan.devices.push_back(device_from_json(device, where));
  for (const Json& stage : json_array(json, "stages", where)) {
    plan.stages.push_back({json_string(stage, "name", where), json_string(stage, "device", where),
                           json_size(stage, "begin", where), json_size(stage, "end", where),
                           positive_number(stage, "seconds", where),
                           positive_number(stage, "hop_seconds", where), json_size(stage, "memory", where)});
  }
  plan.return_seconds = positive_number(json, "return_seconds", where);
  plan.latency = positive_number(json, "latency", where);
  plan.lower_bound = positive_number(json, "lower_bound", where);
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
  return plan_from_json(parse_json(read_file(path, kMaxPlanFile), path.string()), path.string());
}

std::string format_plan(const Plan& plan) {
  std::vector<std::vector<std::string>> rows = {
      {"stage", "slice", "machine", "memory", "hop in, ms", "predicted, ms"}};
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& stage = plan.stages[i];
    rows.push_back({std::to_string(i + 1), stage.name, stage.device, format_bytes(stage.memory),
                    fmt::format("{:.3f}", stage.hop_seconds * 1e3),
                    fmt::format("{:.3f}", stage.seconds * 1e3)});
  }
  rows.push_back(
      {"", "back to the source", plan.source, "", fmt::format("{:.3f}", plan.return_seconds * 1e3), ""});
  std::string text = format_table(rows);
  text += fmt::format("predicted latency {:.3f} ms for a batch of {}", plan.latency * 1e3, plan.batch);
  if (plan.lower_bound < plan.latency) {
    text += fmt::format("; no plan is faster than {:.3f} ms", plan.lower_bound * 1e3);
  } else {
    text += "; no plan is faster";
  }
  return text + "\n";
}

}  // namespace lamina
