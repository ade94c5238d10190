#include "plan/plan_wires.h"

#include "plan/problem.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

BatchFigures figures_of(std::int64_t batch, std::uint64_t bytes) {
  BatchFigures figures;
  figures.batch = batch;
  figures.cut_bytes = {bytes, bytes, bytes};
  figures.measurements = {{{PieceTime{}, ""}, {PieceTime{}, ""}}};
  figures.fusion = figures.steady_fusion = {1};
  return figures;
}

// One machine, two pieces, measured for single rows and for four.
Benchmark two_pieces() {
  Benchmark benchmark;
  static_cast<BatchFigures&>(benchmark) = figures_of(1, 1000);
  benchmark.other_batches = {figures_of(4, 4000)};
  DeviceInfo device;
  device.name = "a";
  benchmark.devices = {device};
  benchmark.pieces = {{"front", 0, 1, 0}, {"back", 1, 2, 0}};
  benchmark.wake = {0};
  benchmark.links = {{{}}};
  benchmark.messages = {{}};
  benchmark.formats = {{{"f32", 0, 0}, {"bf16", 1e-9, 2e-9}}};
  return benchmark;
}

TEST(PlanWires, CarryAsManyMoreBytesAsThereAreMoreRows) {
  const Benchmark benchmark = two_pieces();
  Plan plan;
  PlannedStage stage;
  stage.begin = 1;
  stage.wire = WireFormat::bf16;
  stage.wire_bytes = 510;
  plan.stages = {PlannedStage{}, stage};
  for (const std::int64_t rows : {1, 2, 4}) {
    PlacementProblem problem = make_problem_of_rows(benchmark, "a", rows);
    add_wires(problem, benchmark, plan);
    ASSERT_EQ(problem.wires.size(), 2U);
    const PlanWire& wire = problem.wires[1];
    EXPECT_EQ(wire.format, "bf16");
    EXPECT_EQ(wire.bytes[1], 510U * static_cast<std::uint64_t>(rows));
    EXPECT_EQ(wire.values[1], 1000U * static_cast<std::uint64_t>(rows));
    EXPECT_EQ(wire.allowed, std::vector<bool>({false, true, false}));
  }
}

TEST(MadeProblems, ChargeStagesForTheRequestsThatWorkersLetWait) {
  const std::uint64_t stage = stage_memory(make_problem(two_pieces(), "a"), 0, 0, 2);
  EXPECT_EQ(stage, kWaitingRequests * 1000 + 1000);
}

}  // namespace
}  // namespace lamina
