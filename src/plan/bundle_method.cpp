#include "plan/bundle_method.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMostPlanes = 150;
constexpr double kMostWork = 1e7;  // multiplications for one step
constexpr double kEnough = 0.1;    // of the promise, to move the centre
constexpr double kGood = 0.5;      // of the promise, to go farther
constexpr double kFarther = 2;
constexpr double kNearer = 0.7;
constexpr int kPatience = 3;        // steps in vain until they get shorter
constexpr double kShareLeft = 0.1;  // of the promise, in which weights may still be wrong
constexpr double kSmallest = 1e-9;  // of the value, which counts as nothing
constexpr double kNoWeight = 1e-9;

// Eight sums side by side, which the compiler may do at once.
double dot(const double* a, const double* b, std::size_t count) {
  double sums[8] = {};
  std::size_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (std::size_t lane = 0; lane < 8; ++lane) sums[lane] += a[i + lane] * b[i + lane];
  }
  for (; i < count; ++i) sums[0] += a[i] * b[i];
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

double dot(const std::vector<double>& a, const std::vector<double>& b) {
  return dot(a.data(), b.data(), a.size());
}

}  // namespace

void BundleMethod::insert(TangentPlane plane) {
  const double at_centre = plane.offset + dot(plane.slope, centre_);
  planes_.push_back({std::make_shared<const TangentPlane>(std::move(plane)), 0, 0, at_centre});
  if (planes_.size() <= kMostPlanes) return;
  // Of those without weight the one longest so, else the lightest; never the last.
  const auto drop =
      std::min_element(planes_.begin(), planes_.end() - 1, [](const Weighted& a, const Weighted& b) {
        if (a.weight > kNoWeight || b.weight > kNoWeight) return a.weight < b.weight;
        return a.idle > b.idle;
      });
  planes_.back().weight += drop->weight;
  planes_.erase(drop);
}

void BundleMethod::keep_planes_of(const std::vector<std::uint32_t>& stages) {
  std::vector<bool> is_left(stages.empty() ? 0 : stages.back() + std::size_t{1}, false);
  for (const std::uint32_t index : stages) is_left[index] = true;
  std::erase_if(planes_, [&](const Weighted& weighted) {
    return std::any_of(weighted.plane->stages.begin(), weighted.plane->stages.end(),
                       [&](std::uint32_t index) { return index >= is_left.size() || !is_left[index]; });
  });
}

void BundleMethod::begin(double value, TangentPlane plane) {
  value_ = value;
  double weights = 0;
  for (const Weighted& weighted : planes_) weights += weighted.weight;
  insert(std::move(plane));
  if (weights > kNoWeight) {
    for (Weighted& weighted : planes_) weighted.weight /= weights;
  } else {
    planes_.back().weight = 1;
  }
  if (step_ == 0) {
    const std::vector<double>& slope = planes_.back().plane->slope;
    step_ = std::abs(value) / std::max(dot(slope, slope), 1e-300);
  }
}

// The dual of "promise less penalty" over weights of planes, by moving weight from the plane that promises
// most to the one that promises least (pairwise Frank-Wolfe): the step goes to the weighted slope.
std::vector<double> BundleMethod::next() {
  const std::vector<std::size_t> active = may_rise();
  const std::size_t dimensions = active.size();
  std::vector<double> centre;
  centre.reserve(dimensions);
  for (const std::size_t i : active) centre.push_back(centre_[i]);
  std::vector<double> slopes;  // a row a plane
  std::vector<double> slope(dimensions, 0);
  for (const Weighted& weighted : planes_) {
    for (const std::size_t i : active) slopes.push_back(weighted.plane->slope[i]);
    const double* const row = slopes.data() + slopes.size() - dimensions;
    for (std::size_t i = 0; i < dimensions; ++i) slope[i] += weighted.weight * row[i];
  }
  std::vector<double> move(dimensions);
  const auto work = static_cast<double>(planes_.size() * dimensions);
  const auto rounds = static_cast<int>(std::clamp(kMostWork / work, 20.0, 1000.0));
  for (int round = 0;; ++round) {
    for (std::size_t i = 0; i < dimensions; ++i)
      move[i] = std::max(0.0, centre[i] + step_ * slope[i]) - centre[i];
    std::size_t least = planes_.size();
    std::size_t most = planes_.size();
    double lowest = 0;
    double highest = 0;
    for (std::size_t p = 0; p < planes_.size(); ++p) {
      const double value =
          planes_[p].at_centre + dot(slopes.data() + p * dimensions, move.data(), dimensions);
      if (least == planes_.size() || value < lowest) least = p, lowest = value;
      if (planes_[p].weight > 0 && (most == planes_.size() || value > highest)) most = p, highest = value;
    }
    promised_ = std::max(0.0, lowest - value_);
    const double wrong = highest - lowest;
    if (round == rounds || wrong <= std::max(kSmallest * std::abs(value_), kShareLeft * promised_)) break;
    const double* const to = slopes.data() + least * dimensions;
    const double* const from = slopes.data() + most * dimensions;
    double curvature = 0;
    for (std::size_t i = 0; i < dimensions; ++i) {
      const double difference = centre[i] + move[i] > 0 ? to[i] - from[i] : 0;
      curvature += difference * difference;
    }
    double& giving = planes_[most].weight;
    const double moved = curvature > 0 ? std::min(giving, wrong / (curvature * step_)) : giving;
    giving = moved == giving ? 0 : giving - moved;
    planes_[least].weight += moved;
    for (std::size_t i = 0; i < dimensions; ++i) slope[i] += moved * (to[i] - from[i]);
  }
  for (Weighted& weighted : planes_) weighted.idle = weighted.weight > kNoWeight ? 0 : weighted.idle + 1;
  std::vector<double> prices = centre_;
  for (std::size_t i = 0; i < dimensions; ++i) prices[active[i]] += move[i];
  return prices;
}

// A price that is 0, and that no plane wants to be more, stays so.
std::vector<std::size_t> BundleMethod::may_rise() const {
  std::vector<std::size_t> active;
  for (std::size_t i = 0; i < centre_.size(); ++i) {
    const bool wanted = std::any_of(planes_.begin(), planes_.end(),
                                    [i](const Weighted& weighted) { return weighted.plane->slope[i] > 0; });
    if (centre_[i] > 0 || wanted) active.push_back(i);
  }
  return active;
}

void BundleMethod::move_to(const std::vector<double>& prices, double value) {
  centre_ = prices;
  value_ = value;
  for (Weighted& weighted : planes_)
    weighted.at_centre = weighted.plane->offset + dot(weighted.plane->slope, centre_);
}

void BundleMethod::add(const std::vector<double>& prices, double value, TangentPlane plane) {
  const double gained = value - value_;
  const bool moves = gained > 0 && gained >= kEnough * promised_;
  if (moves) {
    if (gained >= kGood * promised_) step_ *= kFarther;
    failures_ = 0;
    move_to(prices, value);
  }
  insert(std::move(plane));
  if (moves) return;
  // A plane that is far above the centre says little about it: what was tried lay too far away.
  if (++failures_ > kPatience && planes_.back().at_centre - value_ > promised_) {
    step_ *= kNearer;
    failures_ = 0;
  }
}

}  // namespace lamina
