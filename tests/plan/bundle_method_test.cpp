#include "plan/bundle_method.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

struct Function {
  std::vector<TangentPlane> planes;

  const TangentPlane& lowest(const std::vector<double>& prices, double& value) const {
    const TangentPlane* found = nullptr;
    value = std::numeric_limits<double>::infinity();
    for (const TangentPlane& plane : planes) {
      double at = plane.offset;
      for (std::size_t i = 0; i < prices.size(); ++i) at += plane.slope[i] * prices[i];
      if (at < value) value = at, found = &plane;
    }
    return *found;
  }
};

// Planes that fall far out, so that there is a highest point.
Function random_function(std::mt19937& random) {
  std::uniform_real_distribution<double> real(-1, 1);
  Function function;
  for (int i = 0; i < 12; ++i) {
    TangentPlane& plane = function.planes.emplace_back();
    plane.offset = 5 + 4 * real(random);
    plane.slope = {real(random) - 0.3, real(random) - 0.3};
  }
  function.planes.push_back({12, {-1, -0.5}});
  return function;
}

double highest_on_grid(const Function& function) {
  double highest = 0;
  for (int x = 0; x <= 600; ++x) {
    for (int y = 0; y <= 600; ++y) {
      double value = 0;
      function.lowest({x / 25.0, y / 25.0}, value);
      highest = std::max(highest, value);
    }
  }
  return highest;
}

// The grid is brute force: no point of it is higher, and it has points close to the highest.
TEST(BundleMethod, ComesToTheHighestPoint) {
  std::mt19937 random(7);
  for (int i = 0; i < 30; ++i) {
    const Function function = random_function(random);
    BundleMethod bundle({0, 0});
    double value = 0;
    const TangentPlane first = function.lowest(bundle.prices(), value);
    bundle.begin(value, first);
    for (int round = 0; round < 200; ++round) {
      const std::vector<double> prices = bundle.next();
      ASSERT_GE(*std::min_element(prices.begin(), prices.end()), 0);
      const TangentPlane plane = function.lowest(prices, value);
      bundle.add(prices, value, plane);
    }
    double at_prices = 0;
    function.lowest(bundle.prices(), at_prices);
    EXPECT_NEAR(bundle.value(), at_prices, 1e-9);
    const double highest = highest_on_grid(function);
    EXPECT_GE(bundle.value(), highest - 1e-6) << "case " << i;
    EXPECT_LE(bundle.value(), highest + 0.1) << "case " << i;
    double weights = 0;
    for (const BundleMethod::Weighted& plane : bundle.planes()) weights += plane.weight;
    EXPECT_NEAR(weights, 1, 1e-6);
  }
}

// Where nothing is wanted there is nothing to price.
TEST(BundleMethod, StaysWhereNoPriceMayRise) {
  BundleMethod bundle({0, 0});
  bundle.begin(5, {5, {-1, -0.5}});
  EXPECT_EQ(bundle.next(), (std::vector<double>{0, 0}));
  EXPECT_EQ(bundle.promised(), 0);
}

}  // namespace
}  // namespace lamina
