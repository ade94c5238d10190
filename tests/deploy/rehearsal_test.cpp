#include "deploy/rehearsal.h"

#include "base/error.h"
#include "deploy/real_workers.h"

#include <csignal>

#include <gtest/gtest.h>

namespace lamina {
namespace {

class Rehearsed : public RealWorkers {
 protected:
  // The first layer on `a`, the rest half on each.
  static Plan plan() {
    Plan plan;
    plan.model = "three";
    plan.model_hash = "hash";
    plan.source = "a";
    plan.devices = {device("a"), device("b")};
    plan.stages = {{"first", {{"a", 1, 0}}, 0, 1, 0, 0},
                   {"second … third", {{"a", 0.5, 0}, {"b", 0.5, 0}}, 1, 3, 0, 0}};
    return plan;
  }

  RehearsalOptions briefly_{.repeats = 4, .busy = std::chrono::milliseconds(50)};
};

TEST_F(Rehearsed, EachStageAndTheWholeAreMeasured) {
  Fleet fleet({device("a"), device("b")}, options_);
  Plan measured = plan();
  const StageRuns runs = rehearse(measured, model_, "hash", fleet, briefly_);
  ASSERT_TRUE(measured.measured);
  ASSERT_EQ(runs.size(), 2U);
  ASSERT_EQ(runs[1].size(), 2U);
  for (const auto& stage : runs) {
    for (const ReplicaRun& run : stage) {
      EXPECT_GT(run.seconds, 0);
      EXPECT_GT(run.busy_seconds, 0);
      EXPECT_GT(run.processor_seconds, 0);
    }
  }
  EXPECT_EQ(runs[0][0].processor_seconds, runs[1][0].processor_seconds);  // of one worker
  double stages = 0;
  for (const PlannedStage& stage : measured.stages) {
    ASSERT_TRUE(stage.measured_seconds);
    EXPECT_GT(*stage.measured_seconds, 0);
    stages += *stage.measured_seconds;
  }
  EXPECT_GT(measured.measured->latency, stages);  // hops take time
  EXPECT_GT(measured.measured->period, 0);
}

TEST_F(Rehearsed, NothingStaysOnTheWorkers) {
  Fleet fleet({device("a"), device("b")}, options_);
  Plan measured = plan();
  rehearse(measured, model_, "hash", fleet, briefly_);
  const Graph first = extract_stage(model_.graph, model_.cuts, 0, 1);
  // What is loaded can be measured; the name is that of the same stage, loaded again under it.
  WorkerClient& client = *fleet.member("a").client;
  const std::string name = client.load(first, {model_.hashes.front()}, {});
  client.measure(name, 1, {.warm_up = 0, .repeats = 1});
  client.unload(name);
  EXPECT_THROW(client.measure(name, 1, {.warm_up = 0, .repeats = 1}), Error);
  rehearse(measured, model_, "hash", fleet, briefly_);
  EXPECT_THROW(client.measure(name, 1, {.warm_up = 0, .repeats = 1}), Error);
}

TEST_F(Rehearsed, AWorkerThatIsGoneIsAnErrorAndCanBeStartedAgain) {
  Fleet fleet({device("a"), device("b")}, options_);
  const pid_t gone = fleet.local_workers().back().pid();
  ::kill(gone, SIGKILL);
  ASSERT_FALSE(fleet.losses(std::chrono::seconds(10)).empty());
  Plan measured = plan();
  EXPECT_THROW(rehearse(measured, model_, "hash", fleet, briefly_), Error);
  EXPECT_FALSE(measured.measured);
  fleet.restart_ended();
  rehearse(measured, model_, "hash", fleet, briefly_);
  EXPECT_TRUE(measured.measured);
}

}  // namespace
}  // namespace lamina
