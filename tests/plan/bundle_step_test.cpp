#include "plan/bundle_step.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

struct Case {
  std::vector<double> centre;
  double step = 1;
  std::vector<double> at_centre;
  std::vector<std::vector<double>> slopes;
};

// Some prices are 0; some planes are alike, and some don't slope along a price.
Case random_case(std::mt19937& random, std::size_t prices, std::size_t planes) {
  std::uniform_real_distribution<double> real(-1, 1);
  Case made;
  for (std::size_t i = 0; i < prices; ++i) made.centre.push_back(std::max(0.0, real(random)));
  made.step = std::pow(10, 2 * real(random));
  for (std::size_t p = 0; p < planes; ++p) {
    if (p > 0 && random() % 4 == 0) {
      const std::size_t like = random() % p;
      made.at_centre.push_back(made.at_centre[like] + (random() % 2 == 0 ? 0 : real(random)));
      made.slopes.push_back(made.slopes[like]);
      continue;
    }
    made.at_centre.push_back(5 + real(random));
    std::vector<double>& slope = made.slopes.emplace_back();
    for (std::size_t i = 0; i < prices; ++i) slope.push_back(random() % 3 == 0 ? 0 : real(random));
  }
  return made;
}

BundleStep solve(const Case& given, double share) {
  BundleStep step(given.centre, given.step);
  const double weight = 1 / static_cast<double>(given.at_centre.size());
  for (std::size_t p = 0; p < given.at_centre.size(); ++p)
    step.add_plane(given.at_centre[p], given.slopes[p], weight);
  step.solve(*std::min_element(given.at_centre.begin(), given.at_centre.end()), share, 1e-9);
  return step;
}

double least_promise(const Case& given, const std::vector<double>& moves) {
  double least = std::numeric_limits<double>::infinity();
  for (std::size_t p = 0; p < given.slopes.size(); ++p)
    least = std::min(
        least, std::inner_product(moves.begin(), moves.end(), given.slopes[p].begin(), given.at_centre[p]));
  return least;
}

double objective(const Case& given, const std::vector<double>& moves) {
  const double squared = std::inner_product(moves.begin(), moves.end(), moves.begin(), 0.0);
  return least_promise(given, moves) - squared / (2 * given.step);
}

// What makes a point of a concave function over such prices the highest (Karush, Kuhn, Tucker): the move is
// where the mix of slopes leads to, and only planes that promise least are in the mix.
TEST(BundleStep, IsTheHighestPoint) {
  std::mt19937 random(5);
  for (int i = 0; i < 2000; ++i) {
    const Case given = random_case(random, 1 + random() % 40, 1 + random() % 30);
    const BundleStep step = solve(given, 0);
    const std::vector<double>& weights = step.weights();
    EXPECT_NEAR(std::accumulate(weights.begin(), weights.end(), 0.0), 1, 1e-9);
    std::vector<double> mixed(given.centre.size(), 0);
    for (std::size_t p = 0; p < weights.size(); ++p) {
      ASSERT_GE(weights[p], 0);
      for (std::size_t j = 0; j < mixed.size(); ++j) mixed[j] += weights[p] * given.slopes[p][j];
    }
    for (std::size_t j = 0; j < mixed.size(); ++j)
      ASSERT_NEAR(step.moves()[j], std::max(-given.centre[j], given.step * mixed[j]), 1e-6);
    const double least = least_promise(given, step.moves());
    for (std::size_t p = 0; p < weights.size(); ++p) {
      if (weights[p] == 0) continue;
      const double promise = std::inner_product(step.moves().begin(), step.moves().end(),
                                                given.slopes[p].begin(), given.at_centre[p]);
      ASSERT_NEAR(promise, least, 1e-6) << "case " << i << ", plane " << p;
    }
  }
}

// The same by brute force.
TEST(BundleStep, IsHigherThanAllPointsOfAGrid) {
  std::mt19937 random(6);
  for (int i = 0; i < 50; ++i) {
    const Case given = random_case(random, 2, 8);
    const double found = objective(given, solve(given, 0).moves());
    for (int x = 0; x <= 200; ++x) {
      for (int y = 0; y <= 200; ++y) {
        const double at = objective(given, {x / 20.0 - given.centre[0], y / 20.0 - given.centre[1]});
        ASSERT_LE(at, found + 1e-8);
      }
    }
  }
}

// Where not all is asked for, no more is wrong than that.
TEST(BundleStep, IsAsGoodAsAskedFor) {
  std::mt19937 random(7);
  for (int i = 0; i < 200; ++i) {
    const Case given = random_case(random, 20, 20);
    const BundleStep step = solve(given, 0.1);
    const double begin = *std::min_element(given.at_centre.begin(), given.at_centre.end());
    EXPECT_NEAR(step.promised(), std::max(0.0, least_promise(given, step.moves()) - begin), 1e-9);
    const double best = objective(given, solve(given, 0).moves());
    EXPECT_GE(objective(given, step.moves()), best - 0.1 * step.promised() - 1e-8);
  }
}

}  // namespace
}  // namespace lamina
