#include "plan/share_program.h"

#include "plan/linear_program.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <map>
#include <numeric>
#include <utility>

namespace lamina {

namespace {

// A sum of variables and a constant.
struct Line {
  std::vector<double> factors;
  double constant = 0;
};

// Variables are the shares beyond the least ones, of parties that are not alone in their stage; products of
// two shares where they are routed; and the period, the last, in units of its own.
class Program {
 public:
  // Of `around`, where it is given, products are replaced by their slope.
  Program(const ShareLoads& loads, const ShareGoal& goal, const std::vector<double>* around)
      : loads_(loads), goal_(goal), around_(around), column_(loads.parties.size(), 0) {
    for (std::size_t i = 0; i < column_.size(); ++i) {
      if (!loads.parties[i].alone) column_[i] = columns_++;
    }
    if (around == nullptr) {
      for (const ShareTerm& term : loads.latency) {
        if (term.other && !is_alone(term.one) && !is_alone(*term.other))
          products_.emplace(std::pair(term.one, *term.other), columns_++);
      }
    }
    period_ = columns_++;
    unit_ = goal.within && std::isfinite(*goal.within) ? *goal.within : unit_of(loads);
    add_stages();
    add_products();
    add_loads();
  }

  void keep_near(double step) {
    for (std::size_t i = 0; i < column_.size(); ++i) {
      if (!is_alone(i)) bound(i, (*around_)[i] - step, (*around_)[i] + step);
    }
  }

  // Products of two shares are no further from them than the corners of the box are (McCormick).
  void keep_in(const ShareBox& box) {
    box_ = &box;
    for (std::size_t i = 0; i < column_.size(); ++i) {
      if (!is_alone(i)) bound(i, box.least[i], box.most[i]);
    }
    for (const auto& [parties, column] : products_) {
      const auto [a, b] = parties;
      for (const bool high : {false, true}) {
        const double of_a = high ? box.most[a] : box.least[a];
        const double of_b = high ? box.most[b] : box.least[b];
        // of_a b + of_b a - product ≤ of_a of_b
        add_row_of_shares({{a, of_b}, {b, of_a}}, {column, -1}, of_a * of_b);
        const double other = high ? box.least[b] : box.most[b];
        // product - of_a b - other a ≤ -of_a other
        add_row_of_shares({{a, -other}, {b, -of_a}}, {column, 1}, -of_a * other);
      }
    }
  }

  RoutedShares run() {
    Line goal{std::vector<double>(columns_, 0)};
    double unit = unit_;
    if (goal_.within) {
      unit = std::max(value_of(loads_.latency, even_shares()), unit_);
      goal = line_of(loads_.latency, unit);
      if (std::isfinite(*goal_.within)) add_row({{period_, 1}}, 1, false);
    } else {
      goal.factors[period_] = 1;
    }
    if (!std::isfinite(unit) || !std::isfinite(unit_)) return {};
    program_.cost = goal.factors;
    const LinearSolution solution = solve(program_);
    if (!solution.variables)
      return {{}, solution.possible ? 0 : std::numeric_limits<double>::infinity(), products_.empty()};
    const std::vector<double>& variables = *solution.variables;
    RoutedShares routed{std::vector<double>(column_.size(), 1)};
    for (std::size_t i = 0; i < column_.size(); ++i) {
      if (!is_alone(i)) routed.shares[i] = loads_.parties[i].least + variables[column_[i]];
    }
    routed.least =
        unit * std::inner_product(goal.factors.begin(), goal.factors.end(), variables.begin(), goal.constant);
    routed.exact = products_.empty();
    double furthest = -1;
    for (const auto& [parties, column] : products_) {
      const double off =
          std::abs(variables[column] - routed.shares[parties.first] * routed.shares[parties.second]);
      if (off <= furthest) continue;
      furthest = off;
      routed.furthest = width(parties.first) >= width(parties.second) ? parties.first : parties.second;
    }
    return routed;
  }

 private:
  bool is_alone(std::size_t party) const { return loads_.parties[party].alone; }

  std::vector<double> even_shares() const {
    std::vector<double> shares;
    for (const ShareParty& party : loads_.parties) {
      double devices = 0;
      for (const ShareParty& other : loads_.parties)
        devices += other.stage == party.stage ? other.devices : 0;
      shares.push_back(party.devices / devices);
    }
    return shares;
  }
  double unit_of(const ShareLoads& loads) const {
    const double unit = longest_of(loads, even_shares());
    return unit > 0 ? unit : 1;
  }

  using Factors = std::vector<std::pair<std::size_t, double>>;

  void add_row(const Factors& cells, double limit, bool equal) {
    LinearRow row{std::vector<double>(columns_, 0), limit, equal};
    for (const auto& [column, factor] : cells) row.factors[column] += factor;
    program_.rows.push_back(std::move(row));
  }

  void add_row_of_shares(const Factors& of_parties, std::pair<std::size_t, double> of_product, double limit) {
    Factors cells = {of_product};
    for (const auto& [party, factor] : of_parties) {
      cells.emplace_back(column_[party], factor);
      limit -= factor * loads_.parties[party].least;
    }
    add_row(cells, limit, false);
  }

  void bound(std::size_t party, double least, double most) {
    add_row({{column_[party], 1}}, most - loads_.parties[party].least, false);
    add_row({{column_[party], -1}}, loads_.parties[party].least - least, false);
  }
  double width(std::size_t party) const {
    return box_ == nullptr ? 1 : box_->most[party] - box_->least[party];
  }

  void add_stages() {
    for (std::size_t i = 0; i < column_.size();) {
      Factors cells;
      double rest = 1;
      const std::size_t stage = loads_.parties[i].stage;
      for (; i < column_.size() && loads_.parties[i].stage == stage; ++i) {
        if (is_alone(i)) continue;
        cells.emplace_back(column_[i], 1);
        rest -= loads_.parties[i].least;
      }
      if (!cells.empty()) add_row(cells, rest, true);
    }
  }

  // Those of one party add up to its share.
  void add_products() {
    for (const bool of_senders : {true, false}) {
      std::map<std::size_t, Factors> cells;
      for (const auto& [parties, column] : products_)
        cells[of_senders ? parties.first : parties.second].emplace_back(column, 1);
      for (auto& [party, of_party] : cells) {
        of_party.emplace_back(column_[party], -1);
        add_row(of_party, loads_.parties[party].least, true);
      }
    }
  }

  void add_loads() {
    for (const ShareLoad& load : loads_.loads) {
      Line line = line_of(load.seconds, unit_);
      line.factors[period_] -= 1;
      program_.rows.push_back({std::move(line.factors), -line.constant, false});
    }
  }

  Line line_of(const ShareSum& sum, double unit) const {
    Line line{std::vector<double>(columns_, 0)};
    const auto add = [&](std::size_t party, double factor) {
      line.constant += factor * (is_alone(party) ? 1 : loads_.parties[party].least);
      if (!is_alone(party)) line.factors[column_[party]] += factor;
    };
    for (const ShareTerm& term : sum) {
      const double factor = term.seconds / unit;
      if (!term.other || is_alone(*term.other)) {
        add(term.one, factor);
      } else if (is_alone(term.one)) {
        add(*term.other, factor);
      } else if (around_ == nullptr) {
        line.factors[products_.at({term.one, *term.other})] += factor;
      } else {
        const double one = (*around_)[term.one];
        const double other = (*around_)[*term.other];
        add(term.one, factor * other);
        add(*term.other, factor * one);
        line.constant -= factor * one * other;
      }
    }
    return line;
  }

  const ShareLoads& loads_;
  const ShareGoal& goal_;
  const std::vector<double>* around_;
  const ShareBox* box_ = nullptr;
  std::vector<std::size_t> column_;  // by party
  std::map<std::pair<std::size_t, std::size_t>, std::size_t> products_;
  std::size_t columns_ = 0;
  std::size_t period_ = 0;
  double unit_ = 1;  // of the period, seconds
  LinearProgram program_;
};

}  // namespace

RoutedShares route(const ShareLoads& loads, const ShareGoal& goal, const ShareBox* box) {
  Program program(loads, goal, nullptr);
  if (box != nullptr) program.keep_in(*box);
  return program.run();
}

ShareBox whole_box(const ShareLoads& loads) {
  ShareBox box;
  for (const ShareParty& party : loads.parties) {
    box.least.push_back(party.alone ? 1 : party.least);
    box.most.push_back(1);
  }
  return box;
}

std::vector<double> step_from(const ShareLoads& loads, const std::vector<double>& shares, double step,
                              const ShareGoal& goal) {
  Program program(loads, goal, &shares);
  program.keep_near(step);
  return program.run().shares;
}

}  // namespace lamina
