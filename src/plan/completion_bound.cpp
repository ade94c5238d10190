#include "plan/completion_bound.h"

#include <limits>

namespace lamina {

double way_into(const PlacementProblem& problem, std::size_t from, std::size_t to, std::size_t piece) {
  return hop_cost(problem, from, to, piece).seconds() + problem.devices[to].wake;
}

CompletionBound::CompletionBound(const PlacementProblem& problem)
    : devices_(problem.devices.size()),
      pieces_(problem.pieces.size()),
      bound_((pieces_ + 1) * devices_, std::numeric_limits<double>::infinity()),
      next_((pieces_ + 1) * devices_, 0),
      from_start_(std::numeric_limits<double>::infinity()) {
  for (std::size_t device = 0; device < devices_; ++device) {
    bound_[pieces_ * devices_ + device] = hop_cost(problem, device, problem.source, pieces_).seconds();
  }
  for (std::size_t piece = pieces_; piece-- > 1;) {
    for (std::size_t next = 0; next < devices_; ++next) {
      const double after = problem.cost[next][piece].seconds + at(piece + 1, next);
      for (std::size_t device = 0; device < devices_; ++device) {
        const double cost = next == device ? after : after + way_into(problem, device, next, piece);
        if (cost < bound_[piece * devices_ + device]) {
          bound_[piece * devices_ + device] = cost;
          next_[piece * devices_ + device] = next;
        }
      }
    }
  }
  for (std::size_t device = 0; device < devices_; ++device) {
    const double cost =
        way_into(problem, problem.source, device, 0) + problem.cost[device][0].seconds + at(1, device);
    if (cost < from_start_) {
      from_start_ = cost;
      first_ = device;
    }
  }
}

std::vector<std::size_t> CompletionBound::fastest() const {
  std::vector<std::size_t> device_of = {first_};
  while (device_of.size() < pieces_)
    device_of.push_back(next_[device_of.size() * devices_ + device_of.back()]);
  return device_of;
}

}  // namespace lamina
