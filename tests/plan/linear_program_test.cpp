#include "plan/linear_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Solves square systems by elimination; nothing where they are singular.
std::optional<std::vector<double>> solve_square(std::vector<std::vector<double>> cells) {
  const std::size_t size = cells.size();
  for (std::size_t i = 0; i < size; ++i) {
    std::size_t best = i;
    for (std::size_t row = i; row < size; ++row) {
      if (std::abs(cells[row][i]) > std::abs(cells[best][i])) best = row;
    }
    if (std::abs(cells[best][i]) < 1e-9) return std::nullopt;
    std::swap(cells[i], cells[best]);
    for (std::size_t row = 0; row < size; ++row) {
      const double factor = row == i ? 0 : cells[row][i] / cells[i][i];
      for (std::size_t j = 0; j <= size; ++j) cells[row][j] -= factor * cells[i][j];
    }
  }
  std::vector<double> variables;
  for (std::size_t i = 0; i < size; ++i) variables.push_back(cells[i][size] / cells[i][i]);
  return variables;
}

// The least cost over all corners.
double best_corner(const LinearProgram& program) {
  const std::size_t variables = program.cost.size();
  std::vector<LinearRow> planes = program.rows;
  for (std::size_t i = 0; i < variables; ++i) {
    planes.push_back({std::vector<double>(variables, 0), 0, false});
    planes.back().factors[i] = -1;
  }
  double best = std::numeric_limits<double>::infinity();
  std::vector<bool> taken(planes.size(), false);
  std::fill(taken.begin(), taken.begin() + static_cast<std::ptrdiff_t>(variables), true);
  do {
    std::vector<std::vector<double>> cells;
    for (std::size_t i = 0; i < planes.size(); ++i) {
      if (!taken[i]) continue;
      cells.push_back(planes[i].factors);
      cells.back().push_back(planes[i].limit);
    }
    const auto corner = solve_square(cells);
    if (!corner) continue;
    bool inside = true;
    for (const LinearRow& plane : planes) {
      double sum = -plane.limit;
      for (std::size_t j = 0; j < variables; ++j) sum += plane.factors[j] * (*corner)[j];
      inside = inside && sum < 1e-7 && (!plane.equal || sum > -1e-7);
    }
    double cost = 0;
    for (std::size_t j = 0; j < variables; ++j) cost += program.cost[j] * (*corner)[j];
    if (inside) best = std::min(best, cost);
  } while (std::prev_permutation(taken.begin(), taken.end()));
  return best;
}

TEST(LinearProgram, EqualsTheBestCorner) {
  std::mt19937 random(1);
  int impossible = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::size_t variables = 1 + random() % 4;
    const std::size_t rows = 1 + random() % 5;
    // Small whole numbers, so that corners coincide.
    const auto number = [&](int low, int high) {
      return static_cast<double>(std::uniform_int_distribution<int>(low, high)(random));
    };
    LinearProgram program;
    for (std::size_t j = 0; j < variables; ++j) program.cost.push_back(number(-3, 3));
    for (std::size_t row = 0; row < rows; ++row) {
      LinearRow& added = program.rows.emplace_back();
      for (std::size_t j = 0; j < variables; ++j) added.factors.push_back(number(-2, 3));
      added.limit = number(-1, 4);
      added.equal = random() % 4 == 0;
    }
    // Bounded, so that there is a best one where there is any.
    program.rows.push_back({std::vector<double>(variables, 1), 10, false});
    const double truth = best_corner(program);
    const LinearSolution found = solve(program);
    ASSERT_EQ(found.variables.has_value(), std::isfinite(truth)) << "case " << i;
    EXPECT_EQ(found.possible, std::isfinite(truth));
    if (!found.variables) {
      ++impossible;
      continue;
    }
    double cost = 0;
    for (std::size_t j = 0; j < variables; ++j) cost += program.cost[j] * (*found.variables)[j];
    EXPECT_NEAR(cost, truth, 1e-7) << "case " << i;
    for (const double variable : *found.variables) EXPECT_GE(variable, 0);
    for (const LinearRow& row : program.rows) {
      double sum = -row.limit;
      for (std::size_t j = 0; j < variables; ++j) sum += row.factors[j] * (*found.variables)[j];
      EXPECT_LT(sum, 1e-7);
      if (row.equal) {
        EXPECT_GT(sum, -1e-7);
      }
    }
  }
  EXPECT_GT(impossible, 100);
}

TEST(LinearProgram, WithoutABestIsNotSolved) {
  const LinearSolution endless = solve({{-1}, {{{-1}, 1, false}}});
  EXPECT_FALSE(endless.variables);
  EXPECT_TRUE(endless.possible);
}

}  // namespace
}  // namespace lamina
