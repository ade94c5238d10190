#include "base/shares.h"

#include <cmath>
#include <numeric>
#include <random>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Shares, NobodyIsEverFarOffItsShare) {
  std::mt19937 random(1);
  for (int i = 0; i < 200; ++i) {
    std::vector<double> shares(std::uniform_int_distribution<std::size_t>(1, 6)(random));
    for (double& share : shares) share = std::uniform_real_distribution<double>(0.01, 1)(random);
    const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
    for (double& share : shares) share /= sum;
    Shares turns(shares);
    std::vector<double> had(shares.size(), 0);
    for (int turn = 1; turn <= 500; ++turn) {
      had[turns.next()] += 1;
      for (std::size_t j = 0; j < shares.size(); ++j) {
        EXPECT_LE(std::abs(had[j] - shares[j] * turn), static_cast<double>(shares.size() - 1) + 1e-9);
      }
    }
  }
}

TEST(Shares, AreSpreadEvenly) {
  Shares turns({0.5, 0.25, 0.25});
  std::vector<std::size_t> order;
  for (int i = 0; i < 8; ++i) order.push_back(turns.next());
  for (std::size_t i = 0; i + 1 < order.size(); ++i) EXPECT_FALSE(order[i] != 0 && order[i + 1] == order[i]);
}

}  // namespace
}  // namespace lamina
