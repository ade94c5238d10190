#include "plan/bundle_method.h"

#include "plan/bundle_step.h"
#include "plan/dot_product.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kMostPlanes = 150;
constexpr double kEnough = 0.1;  // of the promise, to move the centre
constexpr double kGood = 0.5;    // of the promise, to go farther
constexpr double kFarther = 2;
constexpr double kNearer = 0.7;
constexpr int kPatience = 3;        // steps in vain until they get shorter
constexpr double kShareLeft = 0.1;  // of the promise, in which weights may still be wrong
constexpr double kSmallest = 1e-9;  // of the value, which counts as nothing
constexpr double kNoWeight = 1e-9;

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

std::vector<double> BundleMethod::next() {
  const std::vector<std::size_t> active = may_rise();
  std::vector<double> centre;
  centre.reserve(active.size());
  for (const std::size_t i : active) centre.push_back(centre_[i]);
  BundleStep step(std::move(centre), step_);
  std::vector<double> slope(active.size());
  for (const Weighted& weighted : planes_) {
    for (std::size_t i = 0; i < active.size(); ++i) slope[i] = weighted.plane->slope[active[i]];
    step.add_plane(weighted.at_centre, slope, weighted.weight);
  }
  step.solve(value_, kShareLeft, kSmallest * std::abs(value_));
  promised_ = step.promised();
  for (std::size_t p = 0; p < planes_.size(); ++p) {
    planes_[p].weight = step.weights()[p];
    planes_[p].idle = planes_[p].weight > kNoWeight ? 0 : planes_[p].idle + 1;
  }
  std::vector<double> prices = centre_;
  for (std::size_t i = 0; i < active.size(); ++i) prices[active[i]] += step.moves()[i];
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
