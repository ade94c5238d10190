#include "plan/explain.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/branch_cost.h"

#include <algorithm>
#include <cstddef>
#include <utility>

namespace lamina {

namespace {

using Rows = std::vector<std::vector<std::string>>;

std::string milliseconds(double seconds) { return fmt::format("{:.3f}", seconds * 1e3); }

std::string machines_of(const PlacementProblem& problem, const PlacedStage& stage) {
  std::string text;
  for (const Replica& replica : stage.replicas) {
    if (!text.empty()) text += ", ";
    text += problem.devices[replica.device].name;
  }
  return text;
}

// Where the plan has run: what a stage was predicted to take before, and took.
std::vector<std::string> seconds_of(const Plan& plan, std::size_t stage) {
  if (!plan.measured) return {};
  const PlannedStage& known = plan.stages[stage];
  return {milliseconds(known.seconds), known.measured_seconds ? milliseconds(*known.measured_seconds) : ""};
}

void append(std::vector<std::string>& row, const std::vector<std::string>& cells) {
  row.insert(row.end(), cells.begin(), cells.end());
}

const std::vector<std::string> kOfRuns = {"predicted, ms", "measured, ms"};

// Of a plan that has run.
void append_whole(Rows& rows, const Plan& plan) {
  if (!plan.measured) return;
  std::vector<std::string> row(rows[0].size(), "");
  row[1] = "in all";
  row[row.size() - 2] = milliseconds(plan.latency);
  row[row.size() - 1] = milliseconds(plan.measured->latency);
  rows.push_back(std::move(row));
}

// With branches at once the times don't add up: when each stage begins and ends says what waits for what.
std::string explain_times(const PlacementProblem& problem, const Placement& placement, const Plan& plan) {
  Rows rows = {
      {"stage", "slice", "machine", "hop in, ms", "begins, ms", "waking, ms", "computing, ms", "ends, ms"}};
  if (plan.measured) append(rows[0], kOfRuns);
  for (std::size_t i = 0; i < placement.stages.size(); ++i) {
    const PlacedStage& stage = placement.stages[i];
    const double waking = problem.devices[stage.replicas.front().device].wake;
    rows.push_back({std::to_string(i + 1) + (stage.branches.empty() ? "" : " ∥"), plan.stages[i].name,
                    machines_of(problem, stage), milliseconds(stage.hop_seconds), milliseconds(stage.begin),
                    milliseconds(waking), milliseconds(stage.seconds - waking),
                    milliseconds(stage.begin + stage.seconds)});
    append(rows.back(), seconds_of(plan, i));
  }
  rows.push_back({"", "back to the source", problem.devices[problem.source].name,
                  milliseconds(placement.return_seconds), "", "", "", milliseconds(placement.latency)});
  append_whole(rows, plan);
  return format_table(rows);
}

std::string explain_latency(const PlacementProblem& problem, const Placement& placement, const Plan& plan) {
  if (has_branches(placement.stages)) return explain_times(problem, placement, plan);
  const bool in_wires = !problem.wires.empty();
  Rows rows = {{"stage", "slice", "machine", "bytes in", "trip, ms", "sending, ms"}};
  if (in_wires) append(rows[0], {"format", "narrowing, ms", "widening, ms", "alone it costs"});
  append(rows[0], {"waking, ms", "computing, ms", "of the latency"});
  if (plan.measured) append(rows[0], kOfRuns);
  const auto add = [&](std::vector<std::string> row, const std::vector<Replica>& from,
                       const std::vector<Replica>& to, std::size_t cut, std::size_t wire,
                       const std::vector<std::string>& rest) {
    const HopCost hop = mean_hop_cost(problem, from, to, cut, wire);
    append(row, {format_bytes(wire_bytes(problem, wire, cut)), milliseconds(hop.trip),
                 milliseconds(hop.transfer)});
    if (in_wires) {
      const PlanWire& used = problem.wires[wire];
      const double difference = used.difference.empty() ? 0 : used.difference[cut];
      append(row, {used.values[cut] > 0 ? used.format : "as it is", milliseconds(hop.narrow),
                   milliseconds(hop.widen), fmt::format("{:.2g} %", 100 * difference)});
    }
    append(row, rest);
    rows.push_back(std::move(row));
  };
  std::vector<Replica> from = {{problem.source}};
  for (std::size_t i = 0; i < placement.stages.size(); ++i) {
    const PlacedStage& stage = placement.stages[i];
    double waking = 0;
    for (const Replica& replica : stage.replicas)
      waking += replica.share * problem.devices[replica.device].wake;
    add({std::to_string(i + 1), plan.stages[i].name, machines_of(problem, stage)}, from, stage.replicas,
        stage.first_piece, stage.wire.value_or(0),
        {milliseconds(waking), milliseconds(stage.seconds - waking),
         format_percent((stage.hop_seconds + stage.seconds) / placement.latency)});
    append(rows.back(), seconds_of(plan, i));
    from = stage.replicas;
  }
  add({"", "back to the source", problem.devices[problem.source].name}, from, {{problem.source}},
      problem.pieces.size(), placement.return_wire,
      {"", "", format_percent(placement.return_seconds / placement.latency)});
  append_whole(rows, plan);
  return format_table(rows);
}

std::string explain_machines(const PlacementProblem& problem, const PlanningRequest& request,
                             const Placement& placement, double joined) {
  const bool by_rate = request.objective == Objective::throughput;
  Rows rows = {{"machine", "memory", "of its memory", "busy at the highest rate",
                by_rate ? "without it, requests/s" : "without it, ms"}};
  const std::vector<std::uint64_t> memory = memory_of_devices(problem, placement);
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    const PlanDevice& known = problem.devices[device];
    const std::uint64_t budget = known.memory_budget;
    const std::string used =
        budget > 0 ? format_percent(static_cast<double>(memory[device]) / static_cast<double>(budget)) : "";
    if (!uses(placement, device)) {
      rows.push_back({known.name, "", "", "not used", ""});
      continue;
    }
    PlacementProblem without = problem;
    forbid_device(without, device);
    std::string worth = "no plan";
    try {
      const Placement other = find_placements(without, request).front().placement;
      worth = by_rate ? fmt::format("{:.4g}", joined / other.period) : milliseconds(other.latency);
    } catch (const Error& error) {
      if (error.code() == ErrorCode::deadline_exceeded) worth = "not found in time";
    }
    const DeviceLoad& load = placement.loads[device];
    rows.push_back({known.name, format_bytes(memory[device]), used,
                    fmt::format("computing {}, processors {}, sending {}, receiving {}",
                                format_percent(load.computing / placement.period),
                                format_percent(load.processors / placement.period),
                                format_percent(load.sending / placement.period),
                                format_percent(load.receiving / placement.period)),
                    worth});
  }
  return format_table(rows);
}

}  // namespace

std::string explain_placement(const PlacementProblem& problem, const PlanningRequest& request,
                              const Placement& placement, const Plan& plan) {
  PlanningRequest alone = request;
  alone.top = 1;
  // Each machine is left out once.
  alone.branch_time = request.branch_time / 10;
  return explain_latency(problem, placement, plan) + "\n" +
         explain_machines(problem, alone, placement, joined_requests(plan));
}

std::string format_machines(const PlacementProblem& problem, const Placement& placement) {
  std::string machines;
  for (std::size_t i = 0; i < placement.stages.size(); ++i) {
    const PlacedStage& stage = placement.stages[i];
    const bool at_once = i > 0 && stage.first_piece == placement.stages[i - 1].first_piece;
    if (i > 0) machines += at_once ? " ∥ " : " → ";
    machines += machines_of(problem, stage);
  }
  return machines;
}

std::string format_pareto_front(const PlacementProblem& problem, const std::vector<Placement>& front,
                                double joined) {
  Rows rows = {{"latency, ms", "requests/s", "machines"}};
  for (const Placement& placement : front) {
    rows.push_back({milliseconds(placement.latency), fmt::format("{:.4g}", joined / placement.period),
                    format_machines(problem, placement)});
  }
  return format_table(rows);
}

}  // namespace lamina
