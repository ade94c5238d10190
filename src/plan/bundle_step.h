// One step of the bundle method: the mix of planes that leads to the best prices near those known.
#pragma once

#include <cstddef>
#include <vector>

namespace lamina {

// Over prices ≥ 0, what the planes promise at least, less distance² / (2 · step) from the centre, is to be
// most. Its dual is solved: over weights of planes, all together 1, the least of what the mix promises where
// its slope leads to, which is as far as the step goes, or to a price of 0. An active set method: Newton's
// direction among the planes with weight, until one of them loses all of it; when they promise the same, the
// plane that promises least joins them (J. Nocedal, S. J. Wright, "Numerical Optimization", 16.5). Not thread
// safe.
class BundleStep {
 public:
  BundleStep(std::vector<double> centre, double step);

  // What the plane promises at the centre, and its slope by price. A weight as good as known; all together 1.
  void add_plane(double at_centre, const std::vector<double>& slope, double weight);

  // Ends when weights are wrong by no more than `share` of what is promised beyond `value`, or by `nothing`.
  void solve(double value, double share, double nothing);

  double promised() const { return promised_; }  // beyond `value`, at least 0
  const std::vector<double>& weights() const { return weights_; }
  const std::vector<double>& moves() const { return moves_; }  // by price, from the centre

 private:
  std::size_t prices() const { return centre_.size(); }
  std::size_t planes() const { return weights_.size(); }
  const double* slope_of(std::size_t plane) const { return slopes_.data() + plane * prices(); }
  double move_of(std::size_t price, double slope) const;
  void look();
  std::vector<double> newton() const;
  std::vector<double> exchange(std::size_t from, std::size_t to) const;
  bool go(const std::vector<double>& direction);
  double farthest(const std::vector<double>& direction) const;

  std::vector<double> centre_;
  double step_;
  std::vector<double> at_centre_;  // by plane
  std::vector<double> slopes_;     // [plane][price]
  std::vector<double> weights_;
  std::vector<char> active_;    // by plane: may have weight
  std::vector<double> mixed_;   // by price, the slope of the mix
  std::vector<double> moves_;   // by price
  std::vector<double> values_;  // by plane, what it promises there
  double promised_ = 0;
};

}  // namespace lamina
