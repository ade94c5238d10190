#include "plan/distinct_chains.h"

#include "plan/stage_sums.h"

#include <chrono>
#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::chrono::minutes kAMinute(1);

// A second a piece on each of three machines, and only these links between them.
PlacementProblem three_machines(std::size_t pieces,
                                std::initializer_list<std::pair<std::size_t, std::size_t>> links) {
  PlacementProblem problem;
  for (std::size_t piece = 0; piece < pieces; ++piece)
    problem.pieces.push_back({"piece" + std::to_string(piece)});
  problem.cut_bytes.assign(pieces + 1, 1'000'000);
  problem.cut_bytes.front() = problem.cut_bytes.back() = 0;
  for (std::size_t device = 0; device < 3; ++device) {
    problem.devices.push_back({"device" + std::to_string(device), 1'000'000'000});
    problem.cost.emplace_back(pieces, PieceCost{1, 1'000, 1'000});
    problem.links.emplace_back(3, LinkCost{0, 1'000});
  }
  for (const auto& [from, to] : links) problem.links[from][to].bandwidth = 1e9;
  return problem;
}

// Of stages of one piece.
bool is_proven(const PlacementProblem& problem) {
  const StageSums sums(problem);
  CheapestChain chain(sums, 1.5);
  const std::vector<double> prices(3, 1.0 / 3);
  chain.solve(prices);
  return proves_no_distinct_chain(chain, prices, Deadline(kAMinute));
}

// Of two that have done the same pieces on the same machines only one can go on.
TEST(DistinctChains, AreToldApartByTheirLastMachine) {
  EXPECT_FALSE(is_proven(three_machines(3, {{0, 1}, {1, 0}, {1, 2}})));
  EXPECT_FALSE(is_proven(three_machines(3, {{0, 1}, {1, 0}, {0, 2}})));
}

TEST(DistinctChains, AreProvenNotToBeWhereAMachineHasToComeAgain) {
  EXPECT_TRUE(is_proven(three_machines(3, {{0, 1}, {1, 0}})));
  EXPECT_TRUE(is_proven(three_machines(4, {{0, 1}, {1, 2}, {2, 0}})));
}

}  // namespace
}  // namespace lamina
