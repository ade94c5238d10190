#include "plan/completion_bound.h"

#include <limits>

namespace lamina {

double way_into(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t piece) {
  return hop_cost(problem, from, to, piece).seconds() + problem.devices[to].wake;
}

CompletionBound::CompletionBound(const PlacementProblem& problem, const std::vector<double>& prices)
    : devices_(problem.devices.size()),
      pieces_(problem.pieces.size()),
      bound_((pieces_ + 1) * devices_, std::numeric_limits<double>::infinity()),
      next_((pieces_ + 1) * devices_, 0),
      from_start_(std::numeric_limits<double>::infinity()) {
  const auto bytes_at = [&](std::size_t cut) { return static_cast<double>(problem.cut_bytes[cut]); };
  const auto piece_cost = [&](std::size_t device, std::size_t piece) {
    const PieceCost& cost = problem.cost[device][piece];
    return cost.seconds + prices[device] * static_cast<double>(cost.weight_bytes);
  };
  for (std::size_t device = 0; device < devices_; ++device) {
    bound_[pieces_ * devices_ + device] =
        hop_cost(problem, device, problem.source, pieces_).seconds() + prices[device] * bytes_at(pieces_);
  }
  for (std::size_t piece = pieces_; piece-- > 1;) {
    for (std::size_t next = 0; next < devices_; ++next) {
      const double after = piece_cost(next, piece) + at(piece + 1, next);
      for (std::size_t device = 0; device < devices_; ++device) {
        double cost = after;
        if (next != device) {
          cost += way_into(problem, device, next, piece) + (prices[device] + prices[next]) * bytes_at(piece);
        }
        if (cost < bound_[piece * devices_ + device]) {
          bound_[piece * devices_ + device] = cost;
          next_[piece * devices_ + device] = next;
        }
      }
    }
  }
  for (std::size_t device = 0; device < devices_; ++device) {
    const double cost = way_into(problem, problem.source, device, 0) + prices[device] * bytes_at(0) +
                        piece_cost(device, 0) + at(1, device);
    if (cost < from_start_) {
      from_start_ = cost;
      first_ = device;
    }
  }
}

std::vector<std::size_t> CompletionBound::cheapest() const {
  std::vector<std::size_t> device_of = {first_};
  while (device_of.size() < pieces_)
    device_of.push_back(next_[device_of.size() * devices_ + device_of.back()]);
  return device_of;
}

}  // namespace lamina
