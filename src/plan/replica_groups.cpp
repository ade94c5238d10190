#include "plan/replica_groups.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace lamina {

namespace {

bool same(const LinkCost& a, const LinkCost& b) {
  return a.round_trip == b.round_trip && a.bandwidth == b.bandwidth && a.max_bytes == b.max_bytes;
}

bool same(const PieceCost& a, const PieceCost& b) {
  return a.seconds == b.seconds && a.steady == b.steady && a.weight_bytes == b.weight_bytes &&
         a.activation_bytes == b.activation_bytes;
}

bool can_be_exchanged(const PlacementProblem& problem, std::size_t a, std::size_t b) {
  if (a == problem.source || b == problem.source) return false;
  const PlanDevice& x = problem.devices[a];
  const PlanDevice& y = problem.devices[b];
  if (x.memory_budget != y.memory_budget || x.wake != y.wake || x.required != y.required) return false;
  if (x.wires != y.wires || x.messages != y.messages) return false;
  if (x.threads != y.threads || x.processors != y.processors) return false;
  const auto& costs = problem.cost[a];
  if (!std::equal(costs.begin(), costs.end(), problem.cost[b].begin(),
                  [](const PieceCost& one, const PieceCost& other) { return same(one, other); })) {
    return false;
  }
  for (const PlanBlock& block : problem.blocks) {
    for (const PlanBranch& branch : block.branches) {
      if (!same(branch.cost[a], branch.cost[b])) return false;
    }
  }
  for (std::size_t other = 0; other < problem.devices.size(); ++other) {
    if (other == a || other == b) continue;
    if (!same(problem.links[a][other], problem.links[b][other])) return false;
    if (!same(problem.links[other][a], problem.links[other][b])) return false;
  }
  return same(problem.links[a][b], problem.links[b][a]) && same(problem.links[a][a], problem.links[b][b]);
}

bool can_run_together(const PlacementProblem& problem, const std::vector<std::size_t>& devices) {
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    if (std::all_of(devices.begin(), devices.end(),
                    [&](std::size_t device) { return std::isfinite(problem.cost[device][piece].seconds); }))
      return true;
  }
  return false;
}

}  // namespace

DeviceKinds find_kinds(const PlacementProblem& problem) {
  DeviceKinds kinds;
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    const auto known = std::find_if(kinds.members.begin(), kinds.members.end(), [&](const auto& members) {
      return std::all_of(members.begin(), members.end(),
                         [&](std::size_t member) { return can_be_exchanged(problem, member, device); });
    });
    kinds.kind_of.push_back(static_cast<std::size_t>(known - kinds.members.begin()));
    if (known != kinds.members.end()) {
      known->push_back(device);
    } else {
      kinds.members.push_back({device});
    }
  }
  return kinds;
}

StateSpace::StateSpace(const DeviceKinds& kinds) {
  for (const auto& members : kinds.members) {
    stride_.push_back(size_);
    radix_.push_back(members.size() + 1);
    size_ *= members.size() + 1;
  }
}

std::size_t StateSpace::state_of(const std::vector<std::size_t>& counts) const {
  return std::inner_product(counts.begin(), counts.end(), stride_.begin(), std::size_t{0});
}

bool StateSpace::has_room(std::size_t state, const ReplicaGroup& group) const {
  for (std::size_t kind = 0; kind < radix_.size(); ++kind) {
    if (count(state, kind) + group.counts[kind] >= radix_[kind]) return false;
  }
  return true;
}

bool StateSpace::holds(std::size_t state, const ReplicaGroup& group) const {
  for (std::size_t kind = 0; kind < radix_.size(); ++kind) {
    if (count(state, kind) < group.counts[kind]) return false;
  }
  return true;
}

double count_groups(const DeviceKinds& kinds, std::size_t largest) {
  std::vector<double> ways(largest + 1, 0);
  ways[0] = 1;
  for (const auto& members : kinds.members) {
    std::vector<double> next(largest + 1, 0);
    for (std::size_t sum = 0; sum <= largest; ++sum) {
      for (std::size_t count = 0; count <= std::min(sum, members.size()); ++count)
        next[sum] += ways[sum - count];
    }
    ways = std::move(next);
  }
  return std::accumulate(ways.begin() + 1, ways.end(), 0.0);
}

void for_each_group(const DeviceKinds& kinds, std::size_t largest,
                    const std::function<void(const std::vector<std::size_t>& counts)>& visit) {
  std::vector<std::size_t> counts(kinds.members.size(), 0);
  std::size_t devices = 0;
  std::size_t kind = 0;
  while (kind < counts.size()) {
    if (counts[kind] < kinds.members[kind].size() && devices < largest) {
      ++counts[kind];
      ++devices;
      kind = 0;
      visit(counts);
    } else {
      devices -= counts[kind];
      counts[kind++] = 0;
    }
  }
}

std::vector<ReplicaGroup> make_groups(const PlacementProblem& problem, const DeviceKinds& kinds,
                                      const StateSpace& states, std::size_t largest) {
  std::vector<ReplicaGroup> groups;
  for_each_group(kinds, largest, [&](const std::vector<std::size_t>& counts) {
    ReplicaGroup group;
    group.counts = counts;
    group.state = states.state_of(counts);
    for (std::size_t kind = 0; kind < counts.size(); ++kind) {
      for (std::size_t i = 0; i < counts[kind]; ++i) group.devices.push_back(kinds.members[kind][i]);
    }
    if (can_run_together(problem, group.devices)) groups.push_back(std::move(group));
  });
  std::sort(groups.begin(), groups.end(),
            [](const ReplicaGroup& a, const ReplicaGroup& b) { return a.state < b.state; });
  return groups;
}

}  // namespace lamina
