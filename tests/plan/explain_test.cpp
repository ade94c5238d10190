#include "plan/explain.h"

#include "base/text.h"
#include "plan/random_blocks.h"

#include <algorithm>
#include <random>
#include <sstream>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// The cells of the first table, split where two spaces or more stand.
std::vector<std::vector<std::string>> cells_of(const std::string& text) {
  std::vector<std::vector<std::string>> rows;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line) && !line.empty();) {
    auto& row = rows.emplace_back();
    for (std::size_t at = line.find_first_not_of(' '); at != std::string::npos;) {
      const std::size_t end = line.find("  ", at);
      row.push_back(line.substr(at, end - at));
      at = end == std::string::npos ? end : line.find_first_not_of(' ', end);
    }
  }
  return rows;
}

// A plan whose stages were predicted and measured to take their number in milliseconds, and ten times that.
Plan plan_of(const Placement& placement) {
  Plan plan;
  plan.latency = 0.1;
  plan.period = placement.period;
  for (std::size_t i = 0; i < placement.stages.size(); ++i) {
    PlannedStage& stage = plan.stages.emplace_back();
    stage.name = "layers" + std::to_string(i + 1);
    stage.seconds = 1e-3 * static_cast<double>(i + 1);
    stage.measured_seconds = 10 * stage.seconds;
  }
  return plan;
}

void expect_measured_column(const PlacementProblem& problem, const Placement& placement) {
  Plan plan = plan_of(placement);
  const std::string predicted = explain_placement(problem, {}, placement, plan);
  EXPECT_EQ(predicted.find("measured, ms"), std::string::npos);
  plan.measured = {0.5, 0.25};
  const auto rows = cells_of(explain_placement(problem, {}, placement, plan));
  const auto& heading = rows.front();
  ASSERT_GE(heading.size(), 2U);
  EXPECT_EQ(heading[heading.size() - 2], "predicted, ms");
  EXPECT_EQ(heading.back(), "measured, ms");
  // Stages, the way back, the whole.
  ASSERT_EQ(rows.size(), placement.stages.size() + 3);
  for (std::size_t i = 1; i <= placement.stages.size(); ++i) {
    ASSERT_EQ(rows[i].size(), heading.size());
    EXPECT_EQ(rows[i][1], "layers" + std::to_string(i));
    EXPECT_EQ(std::stod(rows[i][heading.size() - 2]), static_cast<double>(i));
    EXPECT_EQ(std::stod(rows[i].back()), 10.0 * static_cast<double>(i));
  }
  EXPECT_EQ(rows.back(), (std::vector<std::string>{"in all", "100.000", "500.000"}));
}

TEST(Explanation, SetsWhatWasMeasuredBesideWhatWasPredictedStageByStage) {
  PlacementProblem problem;
  problem.devices = {{"a", 1U << 30U, 0.001}, {"b", 1U << 30U, 0.001}};
  problem.pieces = {{"one"}, {"two"}};
  problem.cut_bytes = {4000, 800, 160};
  problem.cost = {{{0.02, 400, 50}, {0.03, 400, 50}}, {{0.01, 400, 50}, {0.04, 400, 50}}};
  problem.links = {{{1e-4, 1e9}, {1e-3, 1e7}}, {{1e-3, 1e7}, {1e-4, 1e9}}};
  expect_measured_column(problem, evaluate(problem, {0, 1}));
}

TEST(Explanation, DoesSoForBranchesToo) {
  std::mt19937 random(61);
  int seen = 0;
  for (int i = 0; i < 20 && seen < 3; ++i) {
    const PlacementProblem problem = random_blocks(random, 3);
    Choice choice{std::vector<std::size_t>(problem.pieces.size(), 0),
                  std::vector<std::vector<std::size_t>>(problem.blocks.size())};
    std::optional<Placement> forked;
    for_every_choice(problem, choice, 0, [&](const Choice& one) {
      const Placement placement = evaluate_stages(problem, stages_of(problem, one));
      if (!forked && has_branches(placement.stages) && is_feasible(problem, placement)) forked = placement;
    });
    if (!forked) continue;
    ++seen;
    expect_measured_column(problem, *forked);
  }
  EXPECT_EQ(seen, 3);
}

}  // namespace
}  // namespace lamina
