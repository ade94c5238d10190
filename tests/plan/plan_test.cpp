#include "plan/plan.h"

#include "base/error.h"
#include "base/file.h"
#include "plan/plan_file.h"
#include "plan/plan_svg.h"
#include "plan/plan_table.h"
#include "support/mutate.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

Plan example() {
  Plan plan;
  plan.model = "model";
  plan.model_hash = std::string(64, 'a');
  plan.source = "vm4";
  plan.devices = {{"vm4", "", 1, 1U << 30U, 1U << 29U}, {"pc5", "10.0.0.5:7070", 8, 1U << 31U, 1U << 30U}};
  plan.stages = {{"conv", {{"vm4", 1, 5000}}, 0, 2, 0.1, 0.001},
                 {"dense", {{"pc5", 0.75, 6000}, {"vm4", 0.25, 6000}}, 2, 3, 0.2, 0.002}};
  plan.return_seconds = 0.003;
  plan.latency = 0.306;
  plan.period = 0.15;
  plan.lower_bound = 0.306;
  return plan;
}

TEST(Plans, ComeBackAsTheyWere) {
  const TemporaryDirectory directory;
  save_plan(directory.path(), example());
  EXPECT_EQ(to_json(load_plan(directory.path())), to_json(example()));
}

TEST(Plans, KeepTheirWireFormats) {
  Plan plan = example();
  plan.stages[1].wire = WireFormat::bf16;
  plan.stages[1].wire_bytes = 1234;
  plan.return_wire = WireFormat::lz4;
  plan.return_wire_bytes = 56;
  plan.wire_difference = 0.002;
  const Plan read = plan_from_json(to_json(plan), "plan.json");
  EXPECT_EQ(read.stages[0].wire, WireFormat::f32);
  EXPECT_EQ(read.stages[1].wire, WireFormat::bf16);
  EXPECT_EQ(read.stages[1].wire_bytes, 1234U);
  EXPECT_EQ(read.return_wire, WireFormat::lz4);
  EXPECT_EQ(read.return_wire_bytes, 56U);
  EXPECT_EQ(read.wire_difference, 0.002);
  EXPECT_NE(format_plan(plan).find("answers differ by 0.2 %"), std::string::npos);
  Json json = to_json(plan);
  json["return_wire"] = "f8";
  EXPECT_THROW(plan_from_json(json, "plan.json"), Error);
}

TEST(Plans, KeepWhatWasMeasured) {
  Plan plan = example();
  plan.measured = {0.31, 0.16};
  plan.stages[0].measured_seconds = 0.11;
  plan.stages[1].replicas[1].seconds = 0.25;
  const Plan read = plan_from_json(to_json(plan), "plan.json");
  ASSERT_TRUE(read.measured);
  EXPECT_EQ(read.measured->latency, 0.31);
  EXPECT_EQ(read.measured->period, 0.16);
  EXPECT_EQ(read.stages[0].measured_seconds, 0.11);
  EXPECT_FALSE(read.stages[1].measured_seconds);
  EXPECT_EQ(read.stages[1].replicas[1].seconds, 0.25);
  Json json = to_json(plan);
  for (Json& stage : json["stages"]) {
    for (Json& replica : stage["replicas"]) replica.erase("seconds");
  }
  EXPECT_EQ(plan_from_json(json, "plan.json").stages[1].replicas[1].seconds, 0);
  json["measured"]["period"] = -1;
  EXPECT_THROW(plan_from_json(json, "plan.json"), Error);
}

TEST(Plans, CountRequestsThatTravelTogether) {
  Plan plan = example();
  plan.objective = Objective::throughput;
  plan.batch = 4;
  EXPECT_EQ(objective_figure(plan), plan.period);  // a request of four rows
  EXPECT_NE(format_plan(plan).find("at most 6.667 requests/s, for a batch of 4"), std::string::npos);
  plan.joining = {0.01};
  EXPECT_EQ(objective_figure(plan), plan.period / 4);
  EXPECT_NE(format_plan(plan).find("at most 26.67 requests/s, joined into batches of 4"), std::string::npos);
  const Plan read = plan_from_json(to_json(plan), "plan.json");
  ASSERT_TRUE(read.joining);
  EXPECT_EQ(read.joining->window, 0.01);
}

Plan branching_example() {
  Plan plan = example();
  PlannedStage left{"left", {{"vm4", 1, 10}}, 2, 7, 0.1, 0.01};
  left.branches = {0, 2};
  left.starts = 0.11;
  PlannedStage right{"right", {{"pc5", 1, 10}}, 2, 7, 0.2, 0.02};
  right.branches = {1};
  right.starts = 0.12;
  plan.stages = {plan.stages[0], left, right, {"join", {{"vm4", 1, 20}}, 7, 9, 0.1, 0.01}};
  return plan;
}

TEST(Plans, SayWhichBranchesRunAtOnce) {
  const Plan read = plan_from_json(to_json(branching_example()), "plan.json");
  EXPECT_TRUE(has_branches(read));
  EXPECT_FALSE(has_branches(example()));
  EXPECT_EQ(read.stages[1].branches, (std::vector<std::size_t>{0, 2}));
  EXPECT_EQ(read.stages[2].starts, 0.12);
  EXPECT_EQ(to_json(read), to_json(branching_example()));
  EXPECT_NE(format_plan(read).find("2 ∥"), std::string::npos);
}

TEST(Plans, AreDrawnWithWhatPassesBranchesBy) {
  Plan plan = branching_example();
  EXPECT_EQ(plan_svg(plan, {}).find("stroke-dasharray"), std::string::npos);
  plan.stages[1].bypass_bytes = 1000;
  const Plan read = plan_from_json(to_json(plan), "plan.json");
  EXPECT_EQ(read.stages[1].bypass_bytes, 1000U);
  EXPECT_NE(plan_svg(read, {}).find("past the branches, from vm4 to vm4"), std::string::npos);
}

TEST(Plans, BranchesThatAreNotEachInOneStageAreRefused) {
  const auto expect_refused = [](const char* what, const auto& change) {
    Json json = to_json(branching_example());
    change(json["stages"]);
    EXPECT_THROW(plan_from_json(json, "plan.json"), Error) << what;
  };
  expect_refused("a branch twice", [](Json& stages) { stages[2]["branches"] = {1, 2}; });
  expect_refused("a branch in no stage", [](Json& stages) { stages[2]["branches"] = {3}; });
  expect_refused("a negative branch", [](Json& stages) { stages[2]["branches"] = {-1}; });
  expect_refused("two ends", [](Json& stages) { stages[2]["end"] = 8; });
  expect_refused("one stage alone", [](Json& stages) {
    stages.erase(2);
    stages[1]["branches"] = {0};
  });
  expect_refused("a stage of all layers beside branches", [](Json& stages) { stages[2].erase("branches"); });
}

TEST(Plans, HolesAndUnknownDevicesAreRefused) {
  const auto expect_refused = [](const char* what, const auto& change) {
    Json json = to_json(example());
    change(json);
    EXPECT_THROW(plan_from_json(json, "plan.json"), Error) << what;
  };
  expect_refused("a hole between stages", [](Json& json) { json["stages"][1]["begin"] = 3; });
  expect_refused("a stage of no pieces", [](Json& json) { json["stages"][1]["end"] = 2; });
  expect_refused("an unknown device", [](Json& json) { json["stages"][0]["replicas"][0]["device"] = "pc9"; });
  expect_refused("shares beyond 1", [](Json& json) { json["stages"][1]["replicas"][0]["share"] = 0.8; });
  expect_refused("a device twice", [](Json& json) { json["stages"][1]["replicas"][1]["device"] = "pc5"; });
  expect_refused("no replicas", [](Json& json) { json["stages"][1]["replicas"] = Json::array(); });
  expect_refused("an unknown objective", [](Json& json) { json["objective"] = "luck"; });
  expect_refused("no stages", [](Json& json) { json["stages"] = Json::array(); });
  expect_refused("another format", [](Json& json) { json["format"] = "x"; });
}

TEST(Plans, DamagedFilesAreReadOrRefused) {
  const std::string text = to_json(example()).dump(1);
  Random random(1);
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    try {
      const Plan plan = plan_from_json(parse_json(mutate(text, random), "plan.json"), "plan.json");
      ++read;
      EXPECT_EQ(plan.stages.front().begin, 0U);
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("plan.json"), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(read, 10);
}

}  // namespace
}  // namespace lamina
