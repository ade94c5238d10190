// Placements one after another, from the best on.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <functional>
#include <optional>
#include <set>
#include <vector>

namespace lamina {

// By dividing what is left after each answer by the first piece that lies elsewhere (E. L. Lawler, "A
// Procedure for Computing the K Best Solutions to Discrete Optimization Problems", Management Science 18(7),
// 1972).
class RankedPlacements {
 public:
  // The best placement of a problem whose stages have one device each, nothing where there is none.
  using Solve = std::function<std::optional<Placement>(const PlacementProblem&)>;
  // Whether the first is better than the second.
  using Better = std::function<bool(const Placement&, const Placement&)>;

  // `best` is what solve(problem) gives.
  RankedPlacements(PlacementProblem problem, Placement best, Solve solve, Better better);

  // The next best; nothing after the last.
  std::optional<Placement> next();

 private:
  // The placements that begin like `device_of`, up to `fixed` pieces, and have the next piece on none of
  // `excluded`.
  struct Part {
    Placement best;
    std::vector<std::size_t> device_of;  // of `best`
    std::size_t fixed = 0;
    std::set<std::size_t> excluded;
  };
  void add_part(const std::vector<std::size_t>& begin, std::size_t fixed, std::set<std::size_t> excluded);

  PlacementProblem problem_;
  Solve solve_;
  Better better_;
  std::vector<Part> parts_;
};

}  // namespace lamina
