#include "plan/plan.h"

#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "plan/branch_cost.h"
#include "plan/problem.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <set>
#include <utility>

namespace lamina {

namespace {

constexpr std::string_view kFormat = "lamina-plan";
constexpr std::int64_t kVersion = 4;
constexpr std::uint64_t kMaxPlanFile = 64U << 20U;

double positive_number(const Json& json, const std::string& key, const std::string& where) {
  const double value = json_number(json, key, where);
  if (value < 0) fail(ErrorCode::corrupt, "{}: '{}' is {}, expected at least 0", where, key, value);
  return value;
}

// "first … last" of the first and the last of several names like it.
std::string span_of(const std::string& first_name, const std::string& last_name) {
  const std::string first = first_name.substr(0, first_name.find(" … "));
  const std::size_t dots = last_name.find(" … ");
  const std::string last =
      dots == std::string::npos ? last_name : last_name.substr(dots + std::string_view(" … ").size());
  return first == last ? first : first + " … " + last;
}

WireFormat format_of(const PlacementProblem& problem, std::size_t wire) {
  if (problem.wires.empty()) return WireFormat::f32;
  return wire_format_from_string(problem.wires[wire].format, "a plan");
}

// The wire of that format; nothing where the problem has none at all.
std::optional<std::size_t> wire_of(const PlacementProblem& problem, WireFormat format) {
  if (problem.wires.empty() && format == WireFormat::f32) return std::nullopt;
  for (std::size_t wire = 0; wire < problem.wires.size(); ++wire) {
    if (problem.wires[wire].format == to_string(format)) return wire;
  }
  fail(ErrorCode::invalid_argument, "the plan sends in wire format {}, which was not planned with",
       to_string(format));
}

const BlockInfo& block_at(const Benchmark& benchmark, std::size_t begin, std::size_t end) {
  for (const BlockInfo& block : benchmark.blocks) {
    if (block.begin == begin && block.end == end) return block;
  }
  fail(ErrorCode::invalid_argument, "the benchmark has no block of branches from cut {} to {}", begin, end);
}

std::string stage_name(const Benchmark& benchmark, const PlacedStage& stage) {
  const PieceInfo& first = benchmark.pieces[stage.first_piece];
  const PieceInfo& last = benchmark.pieces[stage.end_piece - 1];
  if (stage.branches.empty()) return span_of(first.name, last.name);
  std::string name;
  for (const std::size_t branch : stage.branches)
    name += (name.empty() ? "" : ", ") + block_at(benchmark, first.begin, last.end).branches[branch].name;
  return name;
}

std::size_t machines_of(const Plan& plan) {
  return static_cast<std::size_t>(
      std::count_if(plan.devices.begin(), plan.devices.end(),
                    [&](const DeviceInfo& device) { return uses(plan, device.name); }));
}

std::uint64_t most_memory_of(const Plan& plan) {
  std::map<std::string, std::uint64_t> memory;
  for (const PlannedStage& stage : plan.stages) {
    for (const PlannedReplica& replica : stage.replicas) memory[replica.device] += replica.memory;
  }
  std::uint64_t most = 0;
  for (const auto& [device, bytes] : memory) most = std::max(most, bytes);
  return most;
}

double requests_per_second(const Plan& plan, double period) {
  return period > 0 ? joined_requests(plan) / period : 0;
}

// Formats and bytes of the hops, and what they cost in accuracy.
std::string format_wires(const Plan& plan) {
  std::string text = "on the wire: ";
  for (const PlannedStage& stage : plan.stages)
    text += fmt::format("{} {}, ", to_string(stage.wire), format_bytes(stage.wire_bytes));
  return text + fmt::format("back {} {}; answers differ by {:.2g} % of the largest output\n",
                            to_string(plan.return_wire), format_bytes(plan.return_wire_bytes),
                            100 * *plan.wire_difference);
}

// How far from best the plan can be.
std::string format_proof(const Plan& plan) {
  const auto is_proven = [&](double figure) { return plan.lower_bound >= figure * (1 - 1e-9); };
  switch (plan.objective) {
    case Objective::latency:
      if (is_proven(plan.latency)) return "no plan is faster";
      return fmt::format("no plan is faster than {:.3f} ms", plan.lower_bound * 1e3);
    case Objective::throughput:
      if (is_proven(plan.period)) return "no plan of one stage a machine carries more";
      return fmt::format("no plan of one stage a machine carries more than {:.4g} requests/s",
                         requests_per_second(plan, plan.lower_bound));
    case Objective::memory: {
      const std::uint64_t most = most_memory_of(plan);
      if (is_proven(static_cast<double>(most)))
        return fmt::format("at most {} on one machine, no plan needs less", format_bytes(most));
      return fmt::format("at most {} on one machine, no plan needs less than {}", format_bytes(most),
                         format_bytes(static_cast<std::uint64_t>(plan.lower_bound)));
    }
    case Objective::devices: {
      const std::size_t machines = machines_of(plan);
      if (is_proven(static_cast<double>(machines)))
        return fmt::format("{} machine{}, no plan needs fewer", machines, machines == 1 ? "" : "s");
      return fmt::format("{} machines, no plan needs fewer than {:.0f}", machines, plan.lower_bound);
    }
  }
  fail(ErrorCode::internal, "an objective that is none");
}

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

}  // namespace

Plan make_plan(const Benchmark& benchmark, const std::string& source, Objective objective,
               const PlannedPlacement& planned, const PlacementProblem& problem) {
  Plan plan;
  plan.model = benchmark.model;
  plan.model_hash = benchmark.model_hash;
  plan.source = source;
  plan.objective = objective;
  plan.batch = benchmark.batch;
  plan.devices = benchmark.devices;
  plan.return_seconds = planned.placement.return_seconds;
  plan.latency = planned.placement.latency;
  plan.period = planned.placement.period;
  plan.lower_bound = planned.lower_bound;
  plan.return_wire = format_of(problem, planned.placement.return_wire);
  plan.return_wire_bytes = wire_bytes(problem, planned.placement.return_wire, problem.pieces.size());
  for (const PlacedStage& stage : planned.placement.stages) {
    PlannedStage& known = plan.stages.emplace_back();
    known.name = stage_name(benchmark, stage);
    known.begin = benchmark.pieces[stage.first_piece].begin;
    known.end = benchmark.pieces[stage.end_piece - 1].end;
    known.seconds = stage.seconds;
    known.hop_seconds = stage.hop_seconds;
    known.wire = format_of(problem, stage.wire.value_or(0));
    known.branches = stage.branches;
    known.starts = stage.begin;
    known.wire_bytes = stage.branches.empty() ? wire_bytes(problem, stage.wire.value_or(0), stage.first_piece)
                                              : bytes_into(block_of(problem, stage), stage.branches);
    for (const Replica& replica : stage.replicas)
      known.replicas.push_back({benchmark.devices[replica.device].name, replica.share, replica.memory});
  }
  return plan;
}

double joined_requests(const Plan& plan) { return plan.joining ? static_cast<double>(plan.batch) : 1; }

double objective_figure(const Plan& plan) {
  switch (plan.objective) {
    case Objective::latency:
      return plan.latency;
    case Objective::throughput:
      return plan.period / joined_requests(plan);
    case Objective::memory:
      return static_cast<double>(most_memory_of(plan));
    case Objective::devices:
      return static_cast<double>(machines_of(plan));
  }
  fail(ErrorCode::internal, "an objective that is none");
}

bool has_branches(const Plan& plan) {
  return std::any_of(plan.stages.begin(), plan.stages.end(),
                     [](const PlannedStage& stage) { return !stage.branches.empty(); });
}

bool uses(const Plan& plan, const std::string& device) {
  return std::any_of(plan.stages.begin(), plan.stages.end(), [&](const PlannedStage& stage) {
    return std::any_of(stage.replicas.begin(), stage.replicas.end(),
                       [&](const PlannedReplica& replica) { return replica.device == device; });
  });
}

Json to_json(const Plan& plan) {
  Json devices = Json::array();
  for (const DeviceInfo& device : plan.devices) devices.push_back(to_json(device));
  Json stages = Json::array();
  for (const PlannedStage& stage : plan.stages) {
    Json replicas = Json::array();
    for (const PlannedReplica& replica : stage.replicas)
      replicas.push_back({{"device", replica.device}, {"share", replica.share}, {"memory", replica.memory}});
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
    if (stage.measured_seconds) stages.back()["measured_seconds"] = *stage.measured_seconds;
  }
  Json json = {{"format", kFormat},
               {"version", kVersion},
               {"model", plan.model},
               {"model_hash", plan.model_hash},
               {"source", plan.source},
               {"objective", to_string(plan.objective)},
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
  plan.batch = json_integer(json, "batch", where);
  if (plan.batch < 1) fail(ErrorCode::corrupt, "{}: batch is {}, expected at least 1", where, plan.batch);
  if (json.contains("joining"))
    plan.joining = {positive_number(json_object(json, "joining", where), "window", where)};
  for (const Json& device : json_array(json, "devices", where))
    plan.devices.push_back(device_from_json(device, where));
  for (const Json& stage : json_array(json, "stages", where)) {
    PlannedStage& known = plan.stages.emplace_back();
    known.name = json_string(stage, "name", where);
    known.begin = json_size(stage, "begin", where);
    known.end = json_size(stage, "end", where);
    known.seconds = positive_number(stage, "seconds", where);
    known.hop_seconds = positive_number(stage, "hop_seconds", where);
    known.wire = wire_format_from_string(json_string(stage, "wire", where), where);
    known.wire_bytes = json_size(stage, "wire_bytes", where);
    known.starts = positive_number(stage, "starts", where);
    if (stage.contains("branches")) {
      for (const std::int64_t branch : json_integers(stage, "branches", where)) {
        if (branch < 0) fail(ErrorCode::corrupt, "{}: branch {}, expected at least 0", where, branch);
        known.branches.push_back(static_cast<std::size_t>(branch));
      }
    }
    if (stage.contains("measured_seconds"))
      known.measured_seconds = positive_number(stage, "measured_seconds", where);
    for (const Json& replica : json_array(stage, "replicas", where)) {
      known.replicas.push_back({json_string(replica, "device", where),
                                positive_number(replica, "share", where),
                                json_size(replica, "memory", where)});
    }
  }
  plan.return_seconds = positive_number(json, "return_seconds", where);
  plan.latency = positive_number(json, "latency", where);
  plan.period = positive_number(json, "period", where);
  plan.lower_bound = positive_number(json, "lower_bound", where);
  plan.return_wire = wire_format_from_string(json_string(json, "return_wire", where), where);
  plan.return_wire_bytes = json_size(json, "return_wire_bytes", where);
  if (json.contains("wire_difference"))
    plan.wire_difference = positive_number(json, "wire_difference", where);
  if (json.contains("measured")) {
    const Json& measured = json_object(json, "measured", where);
    plan.measured = {positive_number(measured, "latency", where), positive_number(measured, "period", where)};
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

Placement placement_of(const Plan& plan, const Benchmark& benchmark, const PlacementProblem& problem) {
  if (plan.model_hash != benchmark.model_hash)
    fail(ErrorCode::invalid_argument, "the plan was made for another model than the benchmark's '{}'",
         benchmark.model);
  std::vector<PlacedStage> stages;
  for (const PlannedStage& stage : plan.stages) {
    PlacedStage& placed = stages.emplace_back();
    const auto begin = std::find_if(benchmark.pieces.begin(), benchmark.pieces.end(),
                                    [&](const PieceInfo& piece) { return piece.begin == stage.begin; });
    const auto last = std::find_if(benchmark.pieces.begin(), benchmark.pieces.end(),
                                   [&](const PieceInfo& piece) { return piece.end == stage.end; });
    if (begin == benchmark.pieces.end() || last == benchmark.pieces.end()) {
      fail(ErrorCode::invalid_argument, "stage '{}' of the plan is not made of the benchmark's pieces",
           stage.name);
    }
    placed.first_piece = static_cast<std::size_t>(begin - benchmark.pieces.begin());
    placed.end_piece = static_cast<std::size_t>(last - benchmark.pieces.begin()) + 1;
    if (!stage.branches.empty()) {
      const std::size_t count = block_at(benchmark, stage.begin, stage.end).branches.size();
      for (const std::size_t branch : stage.branches) {
        if (branch >= count)
          fail(ErrorCode::invalid_argument, "stage '{}' of the plan runs branch {} of {}", stage.name, branch,
               count);
      }
      placed.branches = stage.branches;
    }
    for (const PlannedReplica& replica : stage.replicas)
      placed.replicas.push_back({find_device(problem, replica.device, "the plan"), replica.share});
    placed.wire = wire_of(problem, stage.wire);
  }
  return evaluate_stages(problem, std::move(stages), wire_of(problem, plan.return_wire));
}

std::string format_plan(const Plan& plan) {
  // With branches at once the times no longer follow each other: say when each begins.
  const bool at_once = has_branches(plan);
  std::vector<std::vector<std::string>> rows = {
      {"stage", "slice", "machine", "memory", "hop in, ms", "predicted, ms"}};
  if (at_once) rows[0].push_back("from, ms");
  if (plan.measured) rows[0].push_back("measured, ms");
  const auto milliseconds = [](double seconds) { return fmt::format("{:.3f}", seconds * 1e3); };
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    const PlannedStage& stage = plan.stages[i];
    for (const PlannedReplica& replica : stage.replicas) {
      const bool first = &replica == &stage.replicas.front();
      std::string machine = replica.device;
      if (stage.replicas.size() > 1) machine += " (" + format_percent(replica.share) + ")";
      rows.push_back({first ? std::to_string(i + 1) + (stage.branches.empty() ? "" : " ∥") : "",
                      first ? stage.name : "", machine, format_bytes(replica.memory),
                      first ? milliseconds(stage.hop_seconds) : "",
                      first ? milliseconds(stage.seconds) : ""});
      if (at_once) rows.back().push_back(first ? milliseconds(stage.starts) : "");
      if (first && stage.measured_seconds) rows.back().push_back(milliseconds(*stage.measured_seconds));
    }
  }
  rows.push_back({"", "back to the source", plan.source, "", milliseconds(plan.return_seconds), ""});
  std::string text = format_table(rows);
  text += fmt::format("predicted latency {} ms, at most {:.4g} requests/s, {} of {}",
                      milliseconds(plan.latency), requests_per_second(plan, plan.period),
                      plan.joining ? "joined into batches" : "for a batch", plan.batch);
  text += "; " + format_proof(plan) + "\n";
  if (plan.wire_difference) text += format_wires(plan);
  if (plan.measured)
    text +=
        fmt::format("measured as it runs: latency {} ms, {:.4g} requests/s\n",
                    milliseconds(plan.measured->latency), requests_per_second(plan, plan.measured->period));
  return text;
}

}  // namespace lamina
