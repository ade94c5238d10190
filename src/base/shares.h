// Whose turn it is among several with different shares.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace lamina {

// Smooth weighted round robin, as nginx does it: each turn goes to whoever is owed most, so the turns of one
// are spread evenly. Not thread-safe.
class Shares {
 public:
  // `shares` are positive and add up to 1.
  explicit Shares(std::vector<double> shares) : shares_(std::move(shares)), owed_(shares_.size(), 0) {}

  // Those of a list whose elements have a `share`.
  template <typename List>
  static Shares of(const List& list) {
    std::vector<double> shares;
    for (const auto& one : list) shares.push_back(one.share);
    return Shares(std::move(shares));
  }

  std::size_t next() {
    for (std::size_t i = 0; i < shares_.size(); ++i) owed_[i] += shares_[i];
    const auto most = static_cast<std::size_t>(std::max_element(owed_.begin(), owed_.end()) - owed_.begin());
    owed_[most] -= 1;
    return most;
  }

 private:
  std::vector<double> shares_;
  std::vector<double> owed_;
};

}  // namespace lamina
