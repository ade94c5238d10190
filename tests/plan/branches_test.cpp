// Branches that run at once, against all there is to try and an evaluator of its own.
#include "base/error.h"
#include "plan/block_options.h"
#include "plan/branch_cost.h"
#include "plan/least_latency_branches.h"
#include "plan/planner.h"
#include "plan/random_blocks.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Another view of the same rules: what happens is put in order of time, message by message; memory is added
// up tensor by tensor. Infinite where it does not fit.
double latency_of(const PlacementProblem& problem, const Choice& choice) {
  std::vector<std::uint64_t> used(problem.devices.size(), 0);
  double now = 0;
  std::size_t at = problem.source;
  bool in_stage = false;
  const auto block_at = [&](std::size_t piece) {
    for (std::size_t i = 0; i < problem.blocks.size(); ++i)
      if (problem.blocks[i].first_piece == piece && !choice.branches[i].empty()) return i;
    return problem.blocks.size();
  };
  const auto wire = [&](std::size_t from, std::size_t to, std::uint64_t bytes) {
    if (bytes == 0) return 0.0;
    const LinkCost& link = problem.links[from][to];
    return bytes > link.max_bytes ? kNever : static_cast<double>(bytes) / link.bandwidth;
  };
  const auto half = [&](std::size_t from, std::size_t to) { return problem.links[from][to].round_trip / 2; };
  bool joined = false;  // all inputs of the next piece have come already
  std::uint64_t most = 0;
  for (std::size_t piece = 0; piece < problem.pieces.size();) {
    const std::size_t number = block_at(piece);
    if (number < problem.blocks.size()) {
      const PlanBlock& block = problem.blocks[number];
      if (in_stage) used[at] += most + problem.cut_bytes[piece];
      in_stage = false;
      const std::size_t to =
          block.end_piece == problem.pieces.size() ? problem.source : choice.device_of[block.end_piece];
      struct Team {
        std::size_t device = 0;
        std::uint64_t in = 0, out = 0;
        double work = 0, rank = 0, done = 0;
      };
      std::vector<Team> teams;
      for (std::size_t device = 0; device < problem.devices.size(); ++device) {
        Team team{device};
        std::vector<bool> needs(block.input_bytes.size(), false);
        bool any = false;
        for (std::size_t branch = 0; branch < block.branches.size(); ++branch) {
          if (choice.branches[number][branch] != device) continue;
          any = true;
          const PlanBranch& known = block.branches[branch];
          for (const std::size_t input : known.inputs) needs[input] = true;
          team.out += known.output_bytes;
          team.work += known.cost[device].seconds;
          used[device] += known.cost[device].weight_bytes + known.cost[device].activation_bytes;
        }
        if (!any) continue;
        for (std::size_t input = 0; input < needs.size(); ++input)
          if (needs[input]) team.in += block.input_bytes[input];
        used[device] += problem.waiting_inputs * team.in + team.out;
        team.work += problem.devices[device].wake;
        team.rank = half(at, device) + team.work + wire(device, to, team.out) + half(device, to);
        teams.push_back(team);
      }
      std::stable_sort(teams.begin(), teams.end(),
                       [](const Team& a, const Team& b) { return a.rank > b.rank; });
      double door = now;  // of the sender
      std::multimap<double, std::pair<std::size_t, std::uint64_t>> ready;
      for (const Team& team : teams) {
        door += wire(at, team.device, team.in);
        ready.emplace(door + half(at, team.device) + team.work, std::pair(team.device, team.out));
      }
      if (block.direct_bytes > 0) ready.emplace(door, std::pair(at, block.direct_bytes));
      double mouth = now;  // of the receiver
      double all = now;
      for (const auto& [time, what] : ready) {
        const auto& [device, bytes] = what;
        const double begin = device == to ? time : std::max(time, mouth);
        const double end = begin + wire(device, to, bytes);
        if (device != to) mouth = end;
        all = std::max(all, end + half(device, to));
      }
      now = all;
      joined = true;
      piece = block.end_piece;
      if (piece == problem.pieces.size()) at = problem.source;
      continue;
    }
    const std::size_t device = choice.device_of[piece];
    if (!in_stage || device != at) {
      if (in_stage) used[at] += most + problem.cut_bytes[piece];
      if (!joined) now += wire(at, device, problem.cut_bytes[piece]) + half(at, device);
      now += problem.devices[device].wake;
      used[device] += problem.waiting_inputs * problem.cut_bytes[piece];
      most = 0;
      in_stage = true;
      at = device;
    }
    joined = false;
    now += problem.cost[device][piece].seconds;
    used[device] += problem.cost[device][piece].weight_bytes;
    most = std::max(most, problem.cost[device][piece].activation_bytes);
    ++piece;
  }
  if (in_stage) used[at] += most + problem.cut_bytes.back();
  if (!joined) now += wire(at, problem.source, problem.cut_bytes.back()) + half(at, problem.source);
  for (std::size_t device = 0; device < used.size(); ++device)
    if (used[device] > problem.devices[device].memory_budget) return kNever;
  return now;
}

double best_of_all(const PlacementProblem& problem) {
  double best = kNever;
  Choice choice{std::vector<std::size_t>(problem.pieces.size(), 0),
                std::vector<std::vector<std::size_t>>(problem.blocks.size())};
  for_every_choice(problem, choice, 0,
                   [&](const Choice& one) { best = std::min(best, latency_of(problem, one)); });
  return best;
}

TEST(Branches, TheBestPlacementIsAsGoodAsAnyOfSmallProblems) {
  std::mt19937 random(11);
  int shared_out = 0;
  int impossible = 0;
  int no_chain = 0;
  for (int round = 0; round < 1500; ++round) {
    const PlacementProblem problem = random_blocks(random, round % 10 == 0 ? 4 : 3);
    const double best = best_of_all(problem);
    std::optional<Placement> found;
    try {
      const PlannedPlacement planned = find_placements(problem, {}).front();
      EXPECT_TRUE(planned.proven_best) << "round " << round;
      EXPECT_NEAR(planned.lower_bound, planned.placement.latency, 1e-9 * best);
      EXPECT_TRUE(is_feasible(problem, planned.placement));
      found = planned.placement;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::out_of_memory) << error.what();
    }
    ASSERT_EQ(found.has_value(), std::isfinite(best)) << "round " << round;
    if (!found) {
      ++impossible;
      continue;
    }
    ASSERT_NEAR(found->latency, best, 1e-9 * best) << "round " << round;
    shared_out += has_branches(found->stages) ? 1 : 0;
    no_chain += brute_force(problem) ? 0 : 1;
  }
  EXPECT_GT(shared_out, 200);
  EXPECT_GT(impossible, 20);
  EXPECT_GT(no_chain, 20);
}

TEST(Branches, LimitsLeaveABoundThatHolds) {
  std::mt19937 random(12);
  int unproven = 0;
  for (int round = 0; round < 300; ++round) {
    const PlacementProblem problem = random_blocks(random, 3);
    const double best = best_of_all(problem);
    if (!brute_force(problem)) continue;
    const auto planned =
        find_least_latency_with_branches(problem, find_least_latency(problem),
                                         {.max_labels = static_cast<std::size_t>(round % 7),
                                          .max_options = static_cast<std::size_t>(round % 5)});
    ASSERT_TRUE(planned);
    EXPECT_GE(planned->placement.latency, best * (1 - 1e-9));
    EXPECT_LE(planned->lower_bound, best * (1 + 1e-9)) << "round " << round;
    unproven += planned->proven_best ? 0 : 1;
  }
  EXPECT_GT(unproven, 5);
}

TEST(Branches, OptionsThatAreLeftOutTakeNoLess) {
  std::mt19937 random(13);
  for (int round = 0; round < 300; ++round) {
    const PlacementProblem problem = random_blocks(random, 4);
    for (const PlanBlock& block : problem.blocks) {
      const std::size_t to = problem.devices.size() - 1;
      const BlockOptions all = find_block_options(problem, block, 0, to, 1'000'000, 1'000'000);
      EXPECT_FALSE(std::isfinite(all.others));
      const BlockOptions few = find_block_options(problem, block, 0, to, 2, 1'000'000);
      const BlockOptions hurried = find_block_options(problem, block, 0, to, 2, 3);
      if (all.best.empty()) continue;
      ASSERT_FALSE(few.best.empty());
      EXPECT_EQ(few.best.front().seconds, all.best.front().seconds);
      if (all.best.size() > 2) {
        EXPECT_LE(few.others, all.best[2].seconds);
      }
      const double least = hurried.best.empty() ? kNever : hurried.best.front().seconds;
      EXPECT_LE(std::min(least, hurried.others), all.best.front().seconds);
    }
  }
}

// Worked out by hand: the source holds all, two branches of 10 s and 6 s, hops of 1 s trip and 1 s a tensor.
TEST(Branches, ABlockTakesWhatItsHopsAndItsLongestBranchTake) {
  PlacementProblem problem;
  problem.devices = {{"a", 1'000'000, 0.5}, {"b", 1'000'000, 0.25}};
  problem.pieces = {{"first"}, {"block"}, {"last"}};
  problem.cut_bytes = {0, 100, 150, 0};
  problem.cost = {{{1, 10, 1}, {16, 10, 1}, {1, 10, 1}}, {{9, 10, 1}, {99, 10, 1}, {9, 10, 1}}};
  problem.links = {{{0, 1e9}, {2, 100}}, {{2, 100}, {0, 1e9}}};
  PlanBlock block{1, 2, {100}, 0, {}};
  block.branches.push_back({"long", {}, {0}, 100, {{10, 10, 1}, {10, 10, 1}}});
  block.branches.push_back({"short", {}, {0}, 50, {{6, 10, 1}, {6, 10, 1}}});
  problem.blocks = {block};
  const Placement placement = find_placements(problem, {}).front().placement;
  // "short" travels: 1 s to send 100 bytes, 1 s on the way, 0.25 + 6 s, 0.5 s and 1 s back: 9.75 s; sent to
  // second or first, "long" begins after it at once or 1 s later, and ends at 10.5 or 11.5 s.
  ASSERT_EQ(placement.stages.size(), 4U);
  EXPECT_EQ(placement.stages[1].branches, std::vector<std::size_t>{0});
  EXPECT_NEAR(placement.stages[2].begin, 1.5 + 2, 1e-6);
  EXPECT_NEAR(placement.latency, 1.5 + 10.5 + 1.5, 1e-6);
  PlanningRequest chain;
  chain.branches = false;
  EXPECT_NEAR(find_placements(problem, chain).front().placement.latency, 18.5, 1e-6);
}

TEST(Branches, OfSeveralPlansTheOneWithBranchesComesFirst) {
  std::mt19937 random(14);
  int first = 0;
  for (int round = 0; round < 100; ++round) {
    const PlacementProblem problem = random_blocks(random, 3);
    if (!brute_force(problem)) continue;
    PlanningRequest request;
    request.top = 3;
    const auto plans = find_placements(problem, request);
    for (std::size_t i = 1; i < plans.size(); ++i) {
      EXPECT_GE(plans[i].placement.latency, plans[i - 1].placement.latency * (1 - 1e-9));
      EXPECT_FALSE(has_branches(plans[i].placement.stages));
    }
    first += has_branches(plans[0].placement.stages) ? 1 : 0;
  }
  EXPECT_GT(first, 10);
}

}  // namespace
}  // namespace lamina
