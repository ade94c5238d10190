#include "plan/cost_model.h"
#include "plan/random_problem.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(SlowDevices, TakeSoManyTimesAsLongForAllThatTheyCompute) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    const PlacementProblem problem = random_problem(random, {});
    const std::size_t slow = random() % problem.devices.size();
    PlacementProblem slowed = problem;
    slow_down(slowed, slow, 5);
    std::vector<std::size_t> device_of(problem.pieces.size());
    for (std::size_t& device : device_of) device = random() % problem.devices.size();
    const Placement before = evaluate(problem, device_of);
    const Placement after = evaluate(slowed, device_of);
    double latency = before.return_seconds;
    for (std::size_t i = 0; i < before.stages.size(); ++i) {
      const PlacedStage& stage = before.stages[i];
      const std::size_t device = stage.replicas.front().device;
      EXPECT_NEAR(after.stages[i].seconds, (device == slow ? 5 : 1) * stage.seconds, 1e-9);
      EXPECT_GE(seconds_on(problem, stage, device), stage.seconds - 1e-12);
      EXPECT_NEAR(seconds_on(slowed, stage, slow), 5 * seconds_on(problem, stage, slow), 1e-9);
      latency += after.stages[i].seconds + stage.hop_seconds;
    }
    EXPECT_NEAR(after.latency, latency, 1e-9);
  }
}

}  // namespace
}  // namespace lamina
