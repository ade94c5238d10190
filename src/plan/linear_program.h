// Small linear programs, solved by the simplex method on a dense table.
#pragma once

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// Σ factors × variables ≤ limit, or = limit.
struct LinearRow {
  std::vector<double> factors;  // by variable
  double limit = 0;
  bool equal = false;
};

// Variables are at least 0; Σ cost × variables is to be least. Figures should be about 1.
struct LinearProgram {
  std::vector<double> cost;  // by variable
  std::vector<LinearRow> rows;
};

struct LinearSolution {
  std::optional<std::vector<double>> variables;
  bool possible = true;  // without variables: not false unless none keep all rows
};

// The best variables; none where there are none, or where rounding is in the way.
LinearSolution solve(const LinearProgram& program);

}  // namespace lamina
