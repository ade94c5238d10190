#include "plan/plan_wires.h"

#include "plan/problem.h"

#include <algorithm>
#include <string>

namespace lamina {

namespace {

PlanWire& wire_of(PlacementProblem& problem, const Benchmark& benchmark, const std::string& format) {
  const auto known = std::find_if(problem.wires.begin(), problem.wires.end(),
                                  [&](const PlanWire& wire) { return wire.format == format; });
  if (known != problem.wires.end()) return *known;
  const std::size_t cuts = problem.cut_bytes.size();
  const std::vector<WireSeconds> seconds = wire_seconds(benchmark, format);
  for (std::size_t device = 0; device < seconds.size(); ++device)
    problem.devices[device].wires.push_back(seconds[device]);
  return problem.wires.emplace_back(PlanWire{format, problem.cut_bytes, std::vector<std::uint64_t>(cuts, 0),
                                             std::vector<bool>(cuts, false)});
}

}  // namespace

void add_wires(PlacementProblem& problem, const Benchmark& benchmark, const Plan& plan) {
  const bool plain = plan.return_wire == WireFormat::f32 &&
                     std::all_of(plan.stages.begin(), plan.stages.end(),
                                 [](const PlannedStage& stage) { return stage.wire == WireFormat::f32; });
  if (plain) return;
  wire_of(problem, benchmark, std::string(to_string(WireFormat::f32))).allowed.flip();
  const auto allow = [&](std::size_t cut, WireFormat format, std::uint64_t bytes) {
    if (format == WireFormat::f32) return;
    PlanWire& wire = wire_of(problem, benchmark, std::string(to_string(format)));
    const auto as_they_are = static_cast<double>(benchmark.cut_bytes[cut]);
    const double rows = as_they_are > 0 ? static_cast<double>(problem.cut_bytes[cut]) / as_they_are : 1;
    wire.bytes[cut] = static_cast<std::uint64_t>(static_cast<double>(bytes) * rows + 0.5);
    wire.values[cut] = bytes < benchmark.cut_bytes[cut] ? problem.cut_bytes[cut] : 0;
    wire.allowed[cut] = true;
  };
  for (const PlannedStage& stage : plan.stages) {
    for (std::size_t piece = 0; piece < benchmark.pieces.size(); ++piece) {
      if (benchmark.pieces[piece].begin == stage.begin) allow(piece, stage.wire, stage.wire_bytes);
    }
  }
  allow(benchmark.pieces.size(), plan.return_wire, plan.return_wire_bytes);
}

PlacementProblem make_problem(const Benchmark& benchmark, const Plan& plan) {
  PlacementProblem problem = make_problem(benchmark, plan.source);
  add_wires(problem, benchmark, plan);
  return problem;
}

}  // namespace lamina
