#include "plan/plan.h"

#include "base/error.h"
#include "plan/branch_cost.h"
#include "plan/problem.h"

#include <algorithm>
#include <map>
#include <utility>

namespace lamina {

namespace {

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
    const bool first_of_block =
        &stage == &planned.placement.stages.front() || (&stage)[-1].first_piece != stage.first_piece;
    if (!stage.branches.empty() && first_of_block) known.bypass_bytes = block_of(problem, stage).direct_bytes;
    known.wire_bytes = stage.branches.empty() ? wire_bytes(problem, stage.wire.value_or(0), stage.first_piece)
                                              : bytes_into(block_of(problem, stage), stage.branches);
    for (const Replica& replica : stage.replicas)
      known.replicas.push_back({benchmark.devices[replica.device].name, replica.share, replica.memory,
                                seconds_on(problem, stage, replica.device)});
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

bool runs_alike(const Plan& a, const Plan& b) {
  const auto same_replica = [](const PlannedReplica& one, const PlannedReplica& other) {
    return one.device == other.device && one.share == other.share;
  };
  const auto same_stage = [&](const PlannedStage& one, const PlannedStage& other) {
    return one.begin == other.begin && one.end == other.end && one.wire == other.wire &&
           one.branches == other.branches &&
           std::equal(one.replicas.begin(), one.replicas.end(), other.replicas.begin(), other.replicas.end(),
                      same_replica);
  };
  return a.batch == b.batch && a.return_wire == b.return_wire &&
         std::equal(a.stages.begin(), a.stages.end(), b.stages.begin(), b.stages.end(), same_stage);
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

}  // namespace lamina
