// Prices of machines, which tell whether pipelines of a period can exist however many machines there are.
//
// Every machine runs one stage at most. For any prices ≥ 0 that add up to 1, a way through all pieces by
// stages that each keep the period, whatever machine is taken how often, costs at most 1 if there is a
// pipeline: Lagrangian relaxation. Where the cheapest way costs more, there is none. Prices that make it dear
// are found by multiplicative weights (S. Arora, E. Hazan, S. Kale, "The Multiplicative Weights Update
// Method", Theory of Computing 8, 2012).
#pragma once

#include "base/clock.h"
#include "plan/cost_model.h"

#include <cstddef>
#include <vector>

namespace lamina {

struct MachinePrices {
  bool possible = true;       // false: proven that there is no pipeline of the period
  std::vector<double> price;  // by device
  std::vector<double> rest;   // by cut: the least price from there to the end
  std::vector<std::vector<std::size_t>>
      farthest;                // [device][first piece]: end of the longest stage, or first
  std::vector<bool> passable;  // by cut: whether some link carries it within the period
};

MachinePrices find_machine_prices(const PlacementProblem& problem, double period, const Deadline& deadline);

}  // namespace lamina
