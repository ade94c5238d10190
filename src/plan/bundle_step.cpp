#include "plan/bundle_step.h"

#include "plan/dot_product.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lamina {

namespace {

constexpr int kMostRounds = 300;
constexpr double kAsGoodAs = 0.1;  // of what a plane that joins promises less than the others
constexpr double kRidge = 1e-12;   // of a product of slopes, where planes are as good as parallel
constexpr int kMostLineRounds = 60;
constexpr double kLineShare = 1e-9;  // of the change at first

// Solves rows · x = right by Cholesky's method, in place; rows are symmetric.
void solve_symmetric(std::vector<double>& rows, std::vector<double>& right) {
  const std::size_t count = right.size();
  double largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, rows[i * count + i]);
  for (std::size_t i = 0; i < count; ++i) {
    double* const row = &rows[i * count];
    for (std::size_t j = 0; j <= i; ++j) {
      const double left = row[j] - dot(row, &rows[j * count], j);
      row[j] = j < i ? left / rows[j * count + j] : std::sqrt(std::max(left, kRidge * largest));
    }
    right[i] = (right[i] - dot(row, right.data(), i)) / row[i];
  }
  for (std::size_t i = count; i-- > 0;) {
    right[i] /= rows[i * count + i];
    for (std::size_t j = 0; j < i; ++j) right[j] -= rows[i * count + j] * right[i];
  }
}

}  // namespace

BundleStep::BundleStep(std::vector<double> centre, double step) : centre_(std::move(centre)), step_(step) {}

void BundleStep::add_plane(double at_centre, const std::vector<double>& slope, double weight) {
  at_centre_.push_back(at_centre);
  slopes_.insert(slopes_.end(), slope.begin(), slope.end());
  weights_.push_back(weight);
}

double BundleStep::move_of(std::size_t price, double slope) const {
  return std::max(-centre_[price], step_ * slope);
}

// Where the mix leads to, and what the planes promise there.
void BundleStep::look() {
  mixed_.assign(prices(), 0);
  for (std::size_t p = 0; p < planes(); ++p) {
    if (weights_[p] == 0) continue;
    for (std::size_t i = 0; i < prices(); ++i) mixed_[i] += weights_[p] * slope_of(p)[i];
  }
  moves_.resize(prices());
  for (std::size_t i = 0; i < prices(); ++i) moves_[i] = move_of(i, mixed_[i]);
  values_.resize(planes());
  for (std::size_t p = 0; p < planes(); ++p)
    values_[p] = at_centre_[p] + dot(slope_of(p), moves_.data(), prices());
}

// How weights of the active planes change until these would promise the same, if prices above 0 stay so.
std::vector<double> BundleStep::newton() const {
  std::vector<std::size_t> others;
  std::size_t heaviest = planes();
  for (std::size_t p = 0; p < planes(); ++p) {
    if (!active_[p]) continue;
    others.push_back(p);
    if (heaviest == planes() || weights_[p] > weights_[heaviest]) heaviest = p;
  }
  std::erase(others, heaviest);
  std::vector<std::size_t> free;
  for (std::size_t i = 0; i < prices(); ++i) {
    if (centre_[i] + moves_[i] > 0) free.push_back(i);
  }
  std::vector<double> differences;  // of slopes, from the heaviest's, by free price
  differences.reserve(others.size() * free.size());
  std::vector<double> right;
  for (const std::size_t p : others) {
    for (const std::size_t i : free) differences.push_back(slope_of(p)[i] - slope_of(heaviest)[i]);
    right.push_back((values_[heaviest] - values_[p]) / step_);
  }
  std::vector<double> products(others.size() * others.size());
  for (std::size_t a = 0; a < others.size(); ++a) {
    for (std::size_t b = 0; b <= a; ++b) {
      products[a * others.size() + b] =
          dot(differences.data() + a * free.size(), differences.data() + b * free.size(), free.size());
      products[b * others.size() + a] = products[a * others.size() + b];
    }
  }
  solve_symmetric(products, right);
  std::vector<double> direction(planes(), 0);
  for (std::size_t a = 0; a < others.size(); ++a) {
    direction[others[a]] = right[a];
    direction[heaviest] -= right[a];
  }
  return direction;
}

std::vector<double> BundleStep::exchange(std::size_t from, std::size_t to) const {
  std::vector<double> direction(planes(), 0);
  direction[from] = -1;
  direction[to] = 1;
  return direction;
}

// How far to go, so that the mix promises least; at most until a weight is 0.
double BundleStep::farthest(const std::vector<double>& direction) const {
  double most = std::numeric_limits<double>::infinity();
  double offset = 0;
  std::vector<double> turned(prices(), 0);
  for (std::size_t p = 0; p < planes(); ++p) {
    if (direction[p] == 0) continue;
    if (direction[p] < 0) most = std::min(most, weights_[p] / -direction[p]);
    offset += direction[p] * at_centre_[p];
    for (std::size_t i = 0; i < prices(); ++i) turned[i] += direction[p] * slope_of(p)[i];
  }
  // How the promise changes there.
  const auto change = [&](double far) {
    double sum = offset;
    for (std::size_t i = 0; i < prices(); ++i) sum += turned[i] * move_of(i, mixed_[i] + far * turned[i]);
    return sum;
  };
  double below = change(0);
  if (!std::isfinite(most) || !(below < 0)) return 0;
  double above = change(most);
  if (above <= 0) return most;
  // The change grows along a few straight lines: regula falsi, of which the end that stays counts half
  // (Illinois).
  const double as_good_as_none = kLineShare * -below;
  double low = 0;
  double high = most;
  bool was_below = false;
  for (int round = 0; round < kMostLineRounds; ++round) {
    const double middle = high - above * (high - low) / (above - below);
    const double there = change(middle);
    if (std::abs(there) <= as_good_as_none) return middle;
    const bool stays = round > 0 && was_below == (there < 0);
    was_below = there < 0;
    if (was_below) {
      low = middle;
      below = there;
      if (stays) above /= 2;
    } else {
      high = middle;
      above = there;
      if (stays) below /= 2;
    }
  }
  return low;
}

// Whether weights changed.
bool BundleStep::go(const std::vector<double>& direction) {
  const double far = farthest(direction);
  if (!(far > 0)) return false;
  for (std::size_t p = 0; p < planes(); ++p) {
    if (direction[p] == 0) continue;
    const bool is_used_up = direction[p] < 0 && weights_[p] <= -far * direction[p];
    weights_[p] = is_used_up ? 0 : weights_[p] + far * direction[p];
    active_[p] = weights_[p] > 0;
  }
  look();
  return true;
}

void BundleStep::solve(double value, double share, double nothing) {
  active_.clear();
  for (const double weight : weights_) active_.push_back(weight > 0);
  look();
  for (int round = 0;; ++round) {
    std::size_t least = 0;
    std::size_t lowest = planes();  // of those with weight
    std::size_t highest = planes();
    for (std::size_t p = 0; p < planes(); ++p) {
      if (values_[p] < values_[least]) least = p;
      if (!(weights_[p] > 0)) continue;
      if (lowest == planes() || values_[p] < values_[lowest]) lowest = p;
      if (highest == planes() || values_[p] > values_[highest]) highest = p;
    }
    promised_ = std::max(0.0, values_[least] - value);
    const double wrong = values_[highest] - values_[least];
    if (round == kMostRounds || wrong <= std::max(nothing, share * promised_)) return;
    if (values_[highest] - values_[lowest] <= kAsGoodAs * wrong) active_[least] = true;
    if (!go(newton()) && !go(exchange(highest, least))) return;
  }
}

}  // namespace lamina
