#include "plan/stage_costs.h"

#include "plan/completion_bound.h"

namespace lamina {

StageCosts::StageCosts(const PlacementProblem& problem)
    : problem_(problem), pieces_(problem.pieces.size()), kind_of_(problem.devices.size()) {
  DeviceKinds kinds = find_kinds(problem);
  for (std::vector<std::size_t>& members : kinds.members) {
    if (problem.devices[members.front()].required) {
      for (const std::size_t device : members) members_.push_back({device});
    } else {
      members_.push_back(std::move(members));
    }
  }
  const std::size_t count = members_.size();
  ways_.assign(pieces_ * count * count, std::numeric_limits<double>::infinity());
  for (std::size_t kind = 0; kind < count; ++kind) {
    for (const std::size_t device : members_[kind]) kind_of_[device] = kind;
    const std::size_t device = members_[kind].front();
    budget_.push_back(problem.devices[device].memory_budget);
    way_in_.push_back(way_into(problem, problem.source, device, 0));
    way_out_.push_back(hop_cost(problem, device, problem.source, pieces_).seconds());
    for (std::size_t next = 0; next < count; ++next) {
      if (next == kind && members_[kind].size() == 1) continue;
      const std::size_t other = next == kind ? members_[kind][1] : members_[next].front();
      for (std::size_t cut = 1; cut < pieces_; ++cut)
        ways_[(cut * count + next) * count + kind] = way_into(problem, device, other, cut);
    }
  }
}

}  // namespace lamina
