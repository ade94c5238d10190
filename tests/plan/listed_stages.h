// Graphs of stages for tests of what needs them listed.
#pragma once

#include "plan/bundle_method.h"
#include "plan/stage_bound.h"

#include <limits>
#include <vector>

namespace lamina {

// The stages worth listing when any placement is wanted, as the planner lists them, and prices of 0.
struct ListedStages {
  explicit ListedStages(const PlacementProblem& problem)
      : costs(problem), graph(list_all(costs)), bundle(std::vector<double>(MemoryPrices(costs).size(), 0)) {}
  ListedStages(const ListedStages&) = delete;
  ListedStages& operator=(const ListedStages&) = delete;

  const StageCosts costs;
  const StageGraph graph;
  const BundleMethod bundle;

 private:
  static StageGraph list_all(const StageCosts& costs) {
    const StageGraph everything(costs);
    StageBound bound(everything);
    bound.solve(std::vector<double>(bound.prices().size(), 0));
    return *bound.without_hopeless(std::numeric_limits<double>::infinity(), 100'000);
  }
};

}  // namespace lamina
