// The rules of other systems: worked examples, their own exhaustive search, and that none of their plans is
// better than ours.
#include "support/other_planners.h"

#include "base/error.h"
#include "plan/least_latency.h"
#include "plan/planner.h"
#include "plan/random_problem.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();

using Placed = std::vector<std::size_t>;  // a device for each piece

void for_each_placement(const PlacementProblem& problem, const std::function<void(const Placed&)>& look_at) {
  Placed device_of(problem.pieces.size(), 0);
  std::size_t piece = 0;
  while (piece < device_of.size()) {
    look_at(device_of);
    piece = 0;
    while (piece < device_of.size() && ++device_of[piece] == problem.devices.size()) device_of[piece++] = 0;
  }
}

// Two devices and two pieces, with figures that tell every term apart.
PlacementProblem two_devices() {
  PlacementProblem problem;
  problem.devices = {{"source", 1'000'000, 0.01}, {"other", 1'000'000, 0.02}};
  problem.pieces = {{"a"}, {"b"}};
  problem.cut_bytes = {4000, 800, 160};
  problem.cost = {{{1, 400, 50}, {2, 4000, 70}}, {{0.1, 400, 50}, {0.2, 4000, 70}}};
  problem.links = {{{0.001, 1e5}, {0.3, 1000}}, {{0.5, 2000}, {0.002, 1e5}}};
  return problem;
}

TEST(LikePapdl, ChargesWhatItsRulesSay) {
  const PlacementProblem problem = two_devices();
  // Each step: the round trip, the bytes of the output over bits a second, ten times the piece with its
  // waking.
  const double to_other = 0.3 + 800.0 / 8000 + 10 * 0.12;
  const double stays_there = 0.002 + 160.0 / 8e5 + 10 * 0.22;
  const double back = 0.5 + 1000.0 / 16000;  // elements of the input
  EXPECT_DOUBLE_EQ(papdl_penalty(problem, {1, 1}), to_other + stays_there + back);
}

// As VGG16 on Scission's slow network (bench/README.md): a small picture of which the first layer makes much,
// and a pooling layer that makes little of much.
TEST(LikePapdl, TakesWhatAPieceMakesForWhatItNeeds) {
  constexpr std::uint64_t kPlenty = 1'000'000'000;
  PlacementProblem problem;
  problem.devices = {{"pi", kPlenty}, {"gpu", kPlenty}};
  problem.pieces = {{"conv1"}, {"conv2"}, {"pool"}, {"rest"}};
  problem.cut_bytes = {150'000, 12'845'184, 12'845'184, 3'211'392, 4'000};
  problem.cost = {{{0.071}, {0.245}, {0.3}, {2}}, {{0.001}, {0.001}, {0.001}, {0.006}}};
  problem.links = {{{50e-6, 5e9}, {0.1, 200'000}}, {{0.1, 200'000}, {50e-6, 5e9}}};
  const OtherPlan theirs = plan_like_papdl(problem).value();
  EXPECT_EQ(theirs.device_of, (Placed{0, 0, 1, 1}));
  const Placement ours = find_least_latency(problem).placement;
  EXPECT_EQ(ours.stages.size(), 1U);
  EXPECT_GT(papdl_penalty(problem, {1, 1, 1, 1}), theirs.belief);
  EXPECT_GT(evaluate(problem, theirs.device_of).latency, 70 * ours.latency);
}

TEST(LikePapdl, CountsMemoryInElementsAndActivationsOfAllPieces) {
  PlacementProblem problem = two_devices();
  // Weights 100 and 1000 elements, activations, six bytes for each of 1000 elements of input.
  problem.devices[1].memory_budget = 100 + 1000 + 50 + 70 + 6 * 1000;
  EXPECT_TRUE(std::isfinite(papdl_penalty(problem, {1, 1})));
  --problem.devices[1].memory_budget;
  EXPECT_FALSE(std::isfinite(papdl_penalty(problem, {1, 1})));
}

TEST(LikePapdl, NeverSendsTheOutputOfAPieceThatTheSenderCannotRun) {
  PlacementProblem problem = two_devices();
  problem.cost[0][0].seconds = kNever;
  // The input is at the source, which can't run the first piece: PAPDL finds nothing, we send it on.
  EXPECT_FALSE(plan_like_papdl(problem));
  EXPECT_EQ(find_least_latency(problem).placement.stages.size(), 1U);
}

TEST(LikePapdl, LosesTheLastBlockOnTheSource) {
  PlacementProblem problem = two_devices();
  problem.cost[0][0].seconds = 100;
  problem.cost[1][1].seconds = 100;
  const OtherPlan plan = plan_like_papdl(problem).value();
  EXPECT_EQ(plan.device_of, (Placed{1, 0}));
  EXPECT_EQ(plan.deployed, 1U);
  // A single block is kept.
  problem.cost[0][0].seconds = 0.001;
  EXPECT_EQ(plan_like_papdl(problem).value().device_of, (Placed{0, 0}));
  EXPECT_EQ(plan_like_papdl(problem).value().deployed, 2U);
}

TEST(LikePapdl, FindsTheLeastPenaltyOfAllPaths) {
  std::mt19937 random(11);
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem =
        random_problem(random, {.tightness = i % 2 == 0 ? 0.5 : 3.0, .forbidden = i % 3 == 0 ? 0.2 : 0.0});
    double least = kNever;
    for_each_placement(problem, [&](const Placed& device_of) {
      least = std::min(least, papdl_penalty(problem, device_of));
    });
    const std::optional<OtherPlan> plan = plan_like_papdl(problem);
    ASSERT_EQ(plan.has_value(), std::isfinite(least)) << "case " << i;
    if (!plan) continue;
    EXPECT_NEAR(plan->belief, least, 1e-9) << "case " << i;
    EXPECT_NEAR(papdl_penalty(problem, plan->device_of), least, 1e-9) << "case " << i;
    ++found;
  }
  EXPECT_GT(found, 150);
}

// `counts` machines of each kind, which run a piece in so many seconds; links that cost next to nothing.
PlacementProblem machines(const std::vector<std::pair<std::size_t, double>>& counts, std::size_t pieces) {
  PlacementProblem problem;
  problem.pieces.assign(pieces, {"piece"});
  problem.cut_bytes.assign(pieces + 1, 10);
  for (const auto& [count, seconds] : counts) {
    problem.devices.insert(problem.devices.end(), count, {"machine", 1'000'000});
    problem.cost.insert(problem.cost.end(), count, std::vector<PieceCost>(pieces, {seconds, 100, 0}));
  }
  problem.links.assign(problem.devices.size(),
                       std::vector<LinkCost>(problem.devices.size(), LinkCost{1e-4, 1e8}));
  return problem;
}

double slowest_stage(const PlacementProblem& problem, const Placed& device_of) {
  std::vector<double> busy(problem.devices.size(), 0);
  for (std::size_t piece = 0; piece < device_of.size(); ++piece)
    busy[device_of[piece]] += problem.cost[device_of[piece]][piece].seconds;
  return *std::max_element(busy.begin(), busy.end());
}

// Two fast and two slow hosts: its program (of version 0.1.1) prints fast 1–2, fast 3–4, slow 5–6, slow 7–8.
TEST(LikePipeEdge, TakesTheFiguresOfOneTypeForThoseOfTheNext) {
  const PlacementProblem problem = machines({{2, 1}, {2, 10}}, 8);
  const OtherPlan plan = plan_like_pipeedge(problem, {0, 0, 1, 1}).value();
  EXPECT_EQ(plan.device_of, (Placed{0, 0, 1, 1, 2, 2, 3, 3}));
  EXPECT_DOUBLE_EQ(plan.belief, 2);
  EXPECT_DOUBLE_EQ(slowest_stage(problem, plan.device_of), 20);
  double best = kNever;
  for_each_placement(
      problem, [&](const Placed& device_of) { best = std::min(best, slowest_stage(problem, device_of)); });
  EXPECT_DOUBLE_EQ(best, 4);
}

TEST(LikePipeEdge, IsRightWhereEveryMachineIsOfATypeOfItsOwn) {
  const PlacementProblem problem = machines({{2, 1}, {2, 10}}, 8);
  const OtherPlan plan = plan_like_pipeedge(problem, {0, 1, 2, 3}).value();
  EXPECT_DOUBLE_EQ(plan.belief, 4);
  EXPECT_DOUBLE_EQ(slowest_stage(problem, plan.device_of), 4);
}

// Its bottleneck of a placement where each machine is its own type; infinite where it isn't a pipeline that
// fits.
double pipeedge_bottleneck(const PlacementProblem& problem, const Placed& device_of) {
  const auto bandwidth = [&](std::size_t device) {
    double most = 0;
    for (std::size_t to = 0; to < problem.devices.size(); ++to)
      most = std::max(most, to == device ? 0 : problem.links[device][to].bandwidth);
    return most * 1.048576;
  };
  double bottleneck = 0;
  std::vector<bool> used(problem.devices.size(), false);
  for (std::size_t begin = 0; begin < device_of.size();) {
    const std::size_t device = device_of[begin];
    if (used[device]) return kNever;
    used[device] = true;
    double seconds = 0;
    double memory = static_cast<double>(problem.cut_bytes[begin]) * (begin == 0 ? 1 : 3);
    std::size_t end = begin;
    for (; end < device_of.size() && device_of[end] == device; ++end) {
      seconds += problem.cost[device][end].seconds + problem.devices[device].wake;
      memory += static_cast<double>(problem.cost[device][end].weight_bytes);
    }
    memory += static_cast<double>(problem.cut_bytes[end]) * 3;
    if (memory >= static_cast<double>(problem.devices[device].memory_budget)) return kNever;
    bottleneck = std::max(bottleneck, seconds);
    if (end < device_of.size() && problem.cut_bytes[end] > 0) {
      bottleneck = std::max(bottleneck, static_cast<double>(problem.cut_bytes[end]) /
                                            std::min(bandwidth(device), bandwidth(device_of[end])));
    }
    begin = end;
  }
  return bottleneck;
}

Placed one_type_each(const PlacementProblem& problem) {
  Placed types(problem.devices.size());
  for (std::size_t i = 0; i < types.size(); ++i) types[i] = i;
  return types;
}

TEST(LikePipeEdge, FindsTheLeastBottleneckOfAllPipelines) {
  std::mt19937 random(12);
  int found = 0;
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = i % 2 == 0 ? 1.0 : 4.0});
    double least = kNever;
    for_each_placement(problem, [&](const Placed& device_of) {
      least = std::min(least, pipeedge_bottleneck(problem, device_of));
    });
    const std::optional<OtherPlan> plan = plan_like_pipeedge(problem, one_type_each(problem));
    ASSERT_EQ(plan.has_value(), std::isfinite(least)) << "case " << i;
    if (!plan) continue;
    EXPECT_NEAR(plan->belief, least, 1e-9) << "case " << i;
    EXPECT_NEAR(pipeedge_bottleneck(problem, plan->device_of), least, 1e-9) << "case " << i;
    ++found;
  }
  EXPECT_GT(found, 150);
}

TEST(LikeScission, ChargesTheWholePingAndNoWayBack) {
  PlacementProblem problem = two_devices();
  problem.devices.push_back({"cloud", 1'000'000});
  problem.cost.push_back({{50, 0, 0}, {0.05, 0, 0}});
  problem.links = {3, {{0, 0}, {0.3, 1000}, {0.7, 2000}}};
  problem.cost[1] = {{50, 0, 0}, {50, 0, 0}};
  const OtherPlan plan = plan_like_scission(problem, {Tier::device, Tier::edge, Tier::cloud}).value();
  EXPECT_EQ(plan.device_of, (Placed{0, 2}));
  EXPECT_DOUBLE_EQ(plan.belief, 1.01 + 0.7 + 800.0 / 2000 + 0.05);
}

// How their plans compare with ours by a figure.
struct Tally {
  int equal = 0;
  int worse = 0;
  int does_not_fit = 0;
};

// Of all planners, of random problems, judged by the true cost.
void expect_never_better(Objective objective, double (*figure)(const Placement&)) {
  std::mt19937 random(13);
  Tally papdl;
  Tally pipeedge;
  Tally scission;
  for (int i = 0; i < 300; ++i) {
    const PlacementProblem problem = random_problem(random, {.tightness = i % 2 == 0 ? 1.0 : 4.0});
    std::optional<double> ours;
    try {
      ours = figure(find_placements(problem, {.objective = objective}).front().placement);
    } catch (const Error& error) {
      ASSERT_TRUE(says_none_fits(error)) << error.what();
    }
    const auto compare = [&](const std::optional<OtherPlan>& theirs, Tally& tally) {
      if (!theirs) return;
      const Placement placement = evaluate(problem, theirs->device_of);
      if (!is_feasible(problem, placement)) {
        ++tally.does_not_fit;
        return;
      }
      ASSERT_TRUE(ours.has_value()) << "case " << i << ": only theirs fits";
      EXPECT_GE(figure(placement), *ours * (1 - 1e-9)) << "case " << i;
      ++(figure(placement) > *ours * (1 + 1e-9) ? tally.worse : tally.equal);
    };
    std::vector<Tier> tiers;
    for (std::size_t device = 0; device < problem.devices.size(); ++device) {
      tiers.push_back(device == problem.source ? Tier::device : device % 2 == 0 ? Tier::edge : Tier::cloud);
    }
    // Machines by twos of a type, so that PipeEdge's mistake has its part.
    Placed types;
    for (std::size_t device = 0; device < problem.devices.size(); ++device) types.push_back(device / 2);
    compare(plan_like_papdl(problem), papdl);
    compare(plan_like_pipeedge(problem, types), pipeedge);
    compare(plan_like_scission(problem, tiers), scission);
  }
  // Each must have had all three, or the comparison showed nothing.
  for (const Tally& tally : {papdl, pipeedge, scission}) {
    EXPECT_GT(tally.equal, 5);
    EXPECT_GT(tally.worse, 10);
    EXPECT_GT(tally.does_not_fit, 10);
  }
}

TEST(OtherPlanners, AreNeverFasterThanOurs) {
  expect_never_better(Objective::latency, [](const Placement& placement) { return placement.latency; });
}

TEST(OtherPlanners, NeverCarryMoreThanOurs) {
  expect_never_better(Objective::throughput, [](const Placement& placement) { return placement.period; });
}

}  // namespace
}  // namespace lamina
