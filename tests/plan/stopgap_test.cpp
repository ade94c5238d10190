#include "plan/stopgap.h"

#include "plan/random_blocks.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

void add_loads(PlacementProblem& problem, std::mt19937& random) {
  std::uniform_real_distribution<double> seconds(0.1, 2);
  for (auto& row : problem.cost) {
    for (PieceCost& cost : row) cost.load = seconds(random);
  }
  for (PlanBlock& block : problem.blocks) {
    for (PlanBranch& branch : block.branches) {
      for (PieceCost& cost : branch.cost) cost.load = seconds(random);
    }
  }
}

// Some placement, with a stage or more on each of a few devices.
Placement some_placement(const PlacementProblem& problem, std::mt19937& random) {
  std::vector<std::size_t> device_of;
  std::uniform_int_distribution<std::size_t> device(0, problem.devices.size() - 1);
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) device_of.push_back(device(random));
  return evaluate(problem, device_of);
}

bool same_stage(const PlacedStage& one, const PlacedStage& other) {
  return one.first_piece == other.first_piece && one.end_piece == other.end_piece &&
         one.branches == other.branches;
}

bool has_stage(const Placement& placement, const PlacedStage& stage) {
  return std::any_of(placement.stages.begin(), placement.stages.end(), [&](const PlacedStage& one) {
    return same_stage(one, stage) && one.replicas.front().device == stage.replicas.front().device;
  });
}

// Seconds until the placement serves after `ran` did: stages that are loaded take none.
double loaded_after(const PlacementProblem& problem, const Placement& ran, const Placement& placement) {
  std::vector<double> seconds(problem.devices.size(), 0);
  for (const PlacedStage& stage : placement.stages) {
    if (has_stage(ran, stage)) continue;
    const std::size_t device = stage.replicas.front().device;
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
      const PieceCost& cost = problem.cost[device][piece];
      const double sent = device == problem.source ? 0
                                                   : static_cast<double>(cost.weight_bytes) /
                                                         problem.links[problem.source][device].bandwidth;
      seconds[device] += cost.load + sent;
    }
  }
  return *std::max_element(seconds.begin(), seconds.end());
}

// The least seconds over every way to run one lost stage on a device or two.
double brute_force(const PlacementProblem& problem, const Placement& ran, std::size_t lost,
                   const std::function<bool(const Placement&)>& accepts) {
  double best = kInfinity;
  const PlacedStage stage = ran.stages[lost];
  const auto consider = [&](std::vector<PlacedStage> stages) {
    const Placement placement = evaluate_stages(problem, std::move(stages), ran.return_wire);
    if (is_feasible(problem, placement) && accepts(placement))
      best = std::min(best, loaded_after(problem, ran, placement));
  };
  for (std::size_t a = 0; a < problem.devices.size(); ++a) {
    std::vector<PlacedStage> whole = ran.stages;
    whole[lost].replicas = {{a}};
    consider(whole);
    for (std::size_t b = 0; b < problem.devices.size(); ++b) {
      for (std::size_t split = stage.first_piece + 1; a != b && split < stage.end_piece; ++split) {
        std::vector<PlacedStage> parts = whole;
        parts[lost].end_piece = split;
        parts.insert(parts.begin() + static_cast<std::ptrdiff_t>(lost) + 1, stage);
        parts[lost + 1].first_piece = split;
        parts[lost + 1].replicas = {{b}};
        consider(parts);
      }
    }
  }
  return best;
}

TEST(Stopgaps, AreLoadedSoonestOfAllWaysToRunALostStage) {
  std::mt19937 random(5);
  int found_some = 0;
  int found_none = 0;
  for (int i = 0; i < 1000; ++i) {
    PlacementProblem problem = random_problem(
        random, {.tightness = 2, .forbidden = 0.05, .messages = true, .least_devices = 3, .least_pieces = 3});
    add_loads(problem, random);
    const Placement ran = some_placement(problem, random);
    if (!is_feasible(problem, ran)) continue;
    const std::size_t gone = ran.stages[random() % ran.stages.size()].replicas.front().device;
    std::vector<std::size_t> lost;
    for (std::size_t stage = 0; stage < ran.stages.size(); ++stage) {
      if (ran.stages[stage].replicas.front().device == gone) lost.push_back(stage);
    }
    if (lost.size() > 1) continue;
    forbid_device(problem, gone);
    const double most = ran.period * std::uniform_real_distribution<double>(1, 3)(random);
    const auto accepts = [&](const Placement& placement) { return placement.period <= most; };
    const std::optional<Placement> stopgap = find_stopgap(problem, ran, accepts);
    const double best = brute_force(problem, ran, lost.front(), accepts);
    SCOPED_TRACE(i);
    ASSERT_EQ(stopgap.has_value(), std::isfinite(best));
    ++(stopgap ? found_some : found_none);
    if (!stopgap) continue;
    EXPECT_NEAR(loaded_after(problem, ran, *stopgap), best, 1e-9);
    EXPECT_TRUE(is_feasible(problem, *stopgap) && accepts(*stopgap));
  }
  EXPECT_GT(found_some, 100);
  EXPECT_GT(found_none, 20);
}

TEST(Stopgaps, KeepAllThatIsLeftWhateverIsLost) {
  std::mt19937 random(6);
  int with_blocks = 0;
  int found = 0;
  for (int i = 0; i < 500; ++i) {
    PlacementProblem problem = random_blocks(random, 4);
    add_loads(problem, random);
    Placement ran = some_placement(problem, random);
    // A block whose branches are a stage each, where one begins between two stages.
    for (const PlanBlock& block : problem.blocks) {
      const auto at = std::find_if(ran.stages.begin(), ran.stages.end(), [&](const PlacedStage& stage) {
        return stage.first_piece == block.first_piece && stage.end_piece == block.end_piece;
      });
      if (at == ran.stages.end() || block.branches.size() > problem.devices.size()) continue;
      PlacedStage branch = *at;
      auto next = ran.stages.erase(at);
      for (std::size_t j = block.branches.size(); j-- > 0;) {
        branch.branches = {j};
        branch.replicas = {{j}};
        next = ran.stages.insert(next, branch);
      }
      ++with_blocks;
      break;
    }
    ran = evaluate_stages(problem, ran.stages);
    if (!is_feasible(problem, ran)) continue;
    std::set<std::size_t> gone = {random() % problem.devices.size()};
    if (i % 3 == 0) gone.insert(random() % problem.devices.size());
    for (const std::size_t device : gone) forbid_device(problem, device);
    const auto any = [](const Placement&) { return true; };
    const std::optional<Placement> stopgap = find_stopgap(problem, ran, any);
    if (!stopgap) continue;
    ++found;
    EXPECT_TRUE(is_feasible(problem, *stopgap));
    for (const PlacedStage& stage : ran.stages) {
      if (!gone.contains(stage.replicas.front().device)) {
        EXPECT_TRUE(has_stage(*stopgap, stage));
      }
    }
  }
  EXPECT_GT(with_blocks, 20);
  EXPECT_GT(found, 50);
}

TEST(Stopgaps, NeedNothingWhereAReplicaIsLeft) {
  std::mt19937 random(7);
  PlacementProblem problem =
      random_problem(random, {.max_devices = 3, .tightness = 100, .least_devices = 3, .least_pieces = 4});
  add_loads(problem, random);
  std::vector<PlacedStage> stages(2);
  stages[0] = {{{0, 0.25}, {1, 0.5}, {2, 0.25}}, 0, 2};
  stages[1] = {{{2}}, 2, problem.pieces.size()};
  const Placement ran = evaluate_stages(problem, stages);
  forbid_device(problem, 1);
  const auto stopgap = find_stopgap(problem, ran, [](const Placement&) { return true; });
  ASSERT_TRUE(stopgap);
  ASSERT_EQ(stopgap->stages.size(), 2U);
  ASSERT_EQ(stopgap->stages[0].replicas.size(), 2U);
  EXPECT_DOUBLE_EQ(stopgap->stages[0].replicas[0].share, 0.5);
  EXPECT_DOUBLE_EQ(stopgap->stages[0].replicas[1].share, 0.5);
}

TEST(Stopgaps, AreNoneWhereNothingIsLeft) {
  std::mt19937 random(8);
  PlacementProblem problem = random_problem(random, {.tightness = 100});
  const Placement ran = some_placement(problem, random);
  for (std::size_t device = 0; device < problem.devices.size(); ++device) forbid_device(problem, device);
  EXPECT_FALSE(find_stopgap(problem, ran, [](const Placement&) { return true; }));
}

}  // namespace
}  // namespace lamina
