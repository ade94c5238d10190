#include "plan/linear_program.h"

#include <algorithm>
#include <cmath>

namespace lamina {

namespace {

constexpr double kZero = 1e-11;
constexpr double kFeasible = 1e-9;
// Steps until the first column that helps is taken, which never goes round in circles (Bland's rule), rather
// than the one that helps most; and until it is given up.
constexpr std::size_t kStepsOfTheBest = 200;
constexpr std::size_t kMostSteps = 5'000;

class Table {
 public:
  explicit Table(const LinearProgram& program) : variables_(program.cost.size()) {
    const std::size_t rows = program.rows.size();
    artificial_ = variables_ + rows;
    width_ = artificial_ + rows + 1;
    for (std::size_t i = 0; i < rows; ++i) {
      const LinearRow& row = program.rows[i];
      const double sign = row.limit < 0 ? -1 : 1;
      std::vector<double>& cells = cells_.emplace_back(width_, 0);
      for (std::size_t j = 0; j < variables_; ++j) cells[j] = sign * row.factors[j];
      if (!row.equal) cells[variables_ + i] = sign;
      cells.back() = sign * row.limit;
      const bool has_slack = !row.equal && sign > 0;
      basis_.push_back(has_slack ? variables_ + i : artificial_ + i);
      if (!has_slack) cells[artificial_ + i] = 1;
    }
  }

  // Whether some variables keep all rows: artificial ones come down to nothing. Nothing where it gave up.
  std::optional<bool> make_feasible() {
    goal_.assign(width_, 0);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (basis_[i] < artificial_) continue;
      for (std::size_t j = 0; j < width_; ++j) {
        if (j < artificial_ || j + 1 == width_) goal_[j] -= cells_[i][j];
      }
    }
    if (!descend()) return std::nullopt;
    if (goal_.back() < -kFeasible) return false;
    // What is left of them in the basis is nothing: another column takes the row where there is one.
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (basis_[i] < artificial_) continue;
      for (std::size_t j = 0; j < artificial_; ++j) {
        if (std::abs(cells_[i][j]) <= kFeasible) continue;
        pivot(i, j);
        break;
      }
    }
    return true;
  }

  bool minimize(const std::vector<double>& cost) {
    goal_.assign(width_, 0);
    std::copy(cost.begin(), cost.end(), goal_.begin());
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      const double factor = basis_[i] < variables_ ? cost[basis_[i]] : 0;
      for (std::size_t j = 0; factor != 0 && j < width_; ++j) goal_[j] -= factor * cells_[i][j];
    }
    return descend();
  }

  std::vector<double> variables() const {
    std::vector<double> values(variables_, 0);
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (basis_[i] < variables_) values[basis_[i]] = std::max(0.0, cells_[i].back());
    }
    return values;
  }

 private:
  bool descend() {
    for (std::size_t step = 0; step < kMostSteps; ++step) {
      std::size_t column = artificial_;
      for (std::size_t j = 0; j < artificial_; ++j) {
        if (goal_[j] >= -kZero || (column < artificial_ && goal_[j] >= goal_[column])) continue;
        column = j;
        if (step >= kStepsOfTheBest) break;
      }
      if (column == artificial_) return true;
      const std::optional<std::size_t> row = leaving(column);
      if (!row) return false;
      pivot(*row, column);
    }
    return false;
  }

  std::optional<std::size_t> leaving(std::size_t column) const {
    std::optional<std::size_t> best;
    double least = 0;
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (cells_[i][column] <= kZero) continue;
      const double ratio = cells_[i].back() / cells_[i][column];
      if (!best || ratio < least - kZero || (ratio <= least + kZero && basis_[i] < basis_[*best])) {
        least = best ? std::min(least, ratio) : ratio;
        best = i;
      }
    }
    return best;
  }

  void pivot(std::size_t row, std::size_t column) {
    std::vector<double>& from = cells_[row];
    const double by = from[column];
    for (double& cell : from) cell /= by;
    const auto clear = [&](std::vector<double>& cells) {
      const double factor = cells[column];
      if (factor == 0) return;
      for (std::size_t j = 0; j < width_; ++j) cells[j] -= factor * from[j];
      cells[column] = 0;
    };
    for (std::size_t i = 0; i < cells_.size(); ++i) {
      if (i != row) clear(cells_[i]);
    }
    clear(goal_);
    basis_[row] = column;
  }

  std::size_t variables_;
  std::size_t artificial_;  // first column of them; before it those of what rows leave over
  std::size_t width_;
  std::vector<std::vector<double>> cells_;  // [row][column], the last the row's limit
  std::vector<double> goal_;                // the same of what is to be least
  std::vector<std::size_t> basis_;          // by row
};

}  // namespace

LinearSolution solve(const LinearProgram& program) {
  Table table(program);
  const std::optional<bool> feasible = table.make_feasible();
  if (!feasible || !*feasible) return {std::nullopt, !feasible};
  if (!table.minimize(program.cost)) return {};
  return {table.variables()};
}

}  // namespace lamina
