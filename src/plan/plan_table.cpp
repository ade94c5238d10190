#include "plan/plan_table.h"

#include "base/error.h"
#include "base/text.h"

#include <set>
#include <string>
#include <vector>

namespace lamina {

namespace {

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

bool has_one_stage_a_machine(const Plan& plan) {
  std::set<std::string> seen;
  for (const PlannedStage& stage : plan.stages) {
    for (const PlannedReplica& replica : stage.replicas) {
      if (!seen.insert(replica.device).second) return false;
    }
  }
  return true;
}

// Of which plans this one is the best. Those for a rate are looked for among some (plan/planner.h).
std::string compared_plans(const Plan& plan) {
  return has_branches(plan) ? "plan of stages that follow each other on a machine"
                            : "plan of one stage a machine";
}

// How far from best the plan can be.
std::string format_proof(const Plan& plan) {
  const bool for_rate =
      !plan.demands.min_rate.empty() && (has_branches(plan) || has_one_stage_a_machine(plan));
  const std::string none = "no " + (for_rate ? compared_plans(plan) : std::string("plan"));
  const auto is_proven = [&](double figure) { return plan.lower_bound >= figure * (1 - 1e-9); };
  switch (plan.objective) {
    case Objective::latency:
      if (is_proven(plan.latency)) return "no plan is faster";
      return fmt::format("no plan is faster than {:.3f} ms", plan.lower_bound * 1e3);
    case Objective::throughput:
      return fmt::format("no {} carries more{}", compared_plans(plan),
                         is_proven(plan.period) ? ""
                                                : fmt::format(" than {:.4g} requests/s",
                                                              requests_per_second(plan, plan.lower_bound)));
    case Objective::memory: {
      const std::uint64_t most = most_memory_of(plan);
      if (is_proven(static_cast<double>(most)))
        return fmt::format("at most {} on one machine, {} needs less", format_bytes(most), none);
      return fmt::format("at most {} on one machine, no plan needs less than {}", format_bytes(most),
                         format_bytes(static_cast<std::uint64_t>(plan.lower_bound)));
    }
    case Objective::devices: {
      const std::size_t machines = machines_of(plan);
      if (is_proven(static_cast<double>(machines)))
        return fmt::format("{} machine{}, {} needs fewer", machines, machines == 1 ? "" : "s", none);
      return fmt::format("{} machines, no plan needs fewer than {:.0f}", machines, plan.lower_bound);
    }
  }
  fail(ErrorCode::internal, "an objective that is none");
}

}  // namespace

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
