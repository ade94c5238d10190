#include "plan/conflict.h"

#include <algorithm>
#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Demands are bits; `conflicts` are sets that can't be met together, and neither can any set that holds one.
std::function<bool(const std::vector<bool>&)> world(const std::vector<std::vector<std::size_t>>& conflicts) {
  return [conflicts](const std::vector<bool>& active) {
    return std::none_of(conflicts.begin(), conflicts.end(), [&](const auto& conflict) {
      return std::all_of(conflict.begin(), conflict.end(),
                         [&](std::size_t demand) { return active[demand]; });
    });
  };
}

TEST(Conflicts, TheSmallestIsFoundAmongFew) {
  std::mt19937 random(41);
  for (int i = 0; i < 300; ++i) {
    const std::size_t count = 1 + random() % 8;
    std::vector<std::vector<std::size_t>> conflicts(1 + random() % 3);
    std::size_t smallest = count;
    for (auto& conflict : conflicts) {
      std::vector<std::size_t> demands(count);
      for (std::size_t demand = 0; demand < count; ++demand) demands[demand] = demand;
      std::shuffle(demands.begin(), demands.end(), random);
      conflict.assign(demands.begin(), demands.begin() + static_cast<std::ptrdiff_t>(1 + random() % count));
      smallest = std::min(smallest, conflict.size());
    }
    const auto found = find_conflict(count, world(conflicts));
    EXPECT_EQ(found.size(), smallest) << "case " << i;
  }
}

TEST(Conflicts, AmongManyNoneOfThoseFoundCanBeLeftOut) {
  std::mt19937 random(42);
  for (int i = 0; i < 100; ++i) {
    const std::size_t count = 20;
    std::vector<std::vector<std::size_t>> conflicts(2);
    for (auto& conflict : conflicts) {
      for (std::size_t demand = 0; demand < count; ++demand) {
        if (random() % 4 == 0) conflict.push_back(demand);
      }
    }
    if (conflicts[0].empty() || conflicts[1].empty()) continue;
    const auto possible = world(conflicts);
    const auto found = find_conflict(count, possible);
    std::vector<bool> active(count, false);
    for (const std::size_t demand : found) active[demand] = true;
    EXPECT_FALSE(possible(active));
    for (const std::size_t demand : found) {
      active[demand] = false;
      EXPECT_TRUE(possible(active)) << "demand " << demand << " could be left out";
      active[demand] = true;
    }
  }
}

TEST(Conflicts, NothingIsFoundWhereAllCanBeMet) {
  EXPECT_TRUE(find_conflict(5, world({})).empty());
  EXPECT_TRUE(find_conflict(30, world({})).empty());
}

}  // namespace
}  // namespace lamina
