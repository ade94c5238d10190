#include "plan/pipeline_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Bounds of what the tables may take.
constexpr double kMostGroups = 2'000;
constexpr double kMostCells = 4e6;

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

// The most replicas, up to those asked for, whose groups the tables can hold.
std::size_t most_replicas(const DeviceKinds& kinds, std::size_t wanted) {
  std::size_t devices = 0;
  double states = 1;
  for (const auto& members : kinds.members) {
    devices += members.size();
    states *= static_cast<double>(members.size() + 1);
  }
  for (std::size_t replicas = std::min(wanted, devices); replicas > 1; --replicas) {
    const double groups = count_groups(kinds, replicas);
    if (groups <= kMostGroups && groups * states <= kMostCells) return replicas;
  }
  return 1;
}

ReplicaGroup required_of(const PlacementProblem& problem, const DeviceKinds& kinds) {
  ReplicaGroup required;
  for (const auto& members : kinds.members) {
    required.counts.push_back(
        static_cast<std::size_t>(std::count_if(members.begin(), members.end(), [&](std::size_t device) {
          return problem.devices[device].required;
        })));
  }
  return required;
}

// The ends of stages that begin at each cut, for one group.
std::vector<CutSet> ends_within(const GroupTable& table, std::size_t pieces, double period) {
  std::vector<CutSet> ends(pieces, CutSet(pieces + 1));
  std::size_t reach = 0;
  for (std::size_t first = 0; first < pieces; ++first) {
    reach = std::max(reach, first);
    const auto within = [&](std::size_t end) {
      return std::all_of(table.busy.begin(), table.busy.end(),
                         [&](const auto& sums) { return sums[end] - sums[first] <= period; });
    };
    while (reach < pieces && within(reach + 1)) ++reach;
    for (std::size_t end = first + 1; end <= reach; ++end) {
      if (table.fits[first].has(end)) ends[first].add(end);
    }
  }
  return ends;
}

bool can_begin(const HopLoad& in, std::uint64_t bytes, double period) {
  return std::isfinite(in.round_trip) && bytes <= in.max_bytes &&
         std::max({times(in.other, bytes), times(in.source_sending, bytes)}) <= period;
}
bool can_end(const HopLoad& out, std::uint64_t bytes, double period) {
  return std::isfinite(out.round_trip) && bytes <= out.max_bytes &&
         std::max({times(out.other, bytes), times(out.source_receiving, bytes)}) <= period;
}

}  // namespace

PipelineTables::PipelineTables(const PlacementProblem& of, std::size_t wanted)
    : problem(of),
      pieces(of.pieces.size()),
      kinds(find_kinds(of)),
      states(kinds),
      replicas(most_replicas(kinds, wanted)),
      groups(make_groups(of, kinds, states, replicas)),
      required(required_of(of, kinds)) {
  std::vector<std::vector<CutSet>> fits;  // by kind
  for (const auto& members : kinds.members) fits.push_back(fits_of(members.front()));
  for (const ReplicaGroup& group : groups) of_group.push_back(table_of(group, fits));
  for (const ReplicaGroup& from : groups) {
    auto& row = hops.emplace_back();
    auto& fit = fit_beside.emplace_back();
    for (const ReplicaGroup& to : groups) {
      row.push_back(load_of(problem, from.replicas, beside(from, to)));
      fit.push_back(states.has_room(from.state, to));
    }
  }
  by_bytes.resize(pieces + 1);
  std::iota(by_bytes.begin(), by_bytes.end(), std::size_t{0});
  std::sort(by_bytes.begin(), by_bytes.end(),
            [&](std::size_t a, std::size_t b) { return problem.cut_bytes[a] < problem.cut_bytes[b]; });
  CutSet cuts(pieces + 1);
  up_to.push_back(cuts);
  for (const std::size_t cut : by_bytes) {
    cuts.add(cut);
    up_to.push_back(cuts);
  }
}

// The devices of `group` where those of `taken` are taken already.
std::vector<Replica> PipelineTables::beside(const ReplicaGroup& taken, const ReplicaGroup& group) const {
  std::vector<Replica> replicas = group.replicas;
  std::size_t at = 0;
  for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
    const auto& members = kinds.members[kind];
    for (std::size_t i = 0; i < group.counts[kind]; ++i) {
      replicas[at++].device = members[(taken.counts[kind] + i) % members.size()];
    }
  }
  return replicas;
}

GroupTable PipelineTables::table_of(const ReplicaGroup& group,
                                    const std::vector<std::vector<CutSet>>& fits) const {
  GroupTable table;
  table.mean.assign(pieces + 1, 0);
  for (const Replica& replica : group.replicas) {
    auto& sums = table.busy.emplace_back(pieces + 1, 0);
    std::vector<double> mean(pieces + 1, 0);
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      const PieceCost& cost = problem.cost[replica.device][piece];
      const bool runs = std::isfinite(cost.seconds);
      sums[piece + 1] = sums[piece] + (runs ? replica.share * cost.busy_seconds() : 0);
      mean[piece + 1] = mean[piece] + (runs ? replica.share * cost.seconds : 0);
    }
    for (std::size_t cut = 0; cut <= pieces; ++cut) table.mean[cut] += mean[cut];
    table.wake += replica.share * problem.devices[replica.device].wake;
  }
  for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
    if (group.counts[kind] == 0) continue;
    if (table.fits.empty()) {
      table.fits = fits[kind];
    } else {
      for (std::size_t first = 0; first < pieces; ++first) table.fits[first].keep(fits[kind][first]);
    }
  }
  const std::vector<Replica> source = {{problem.source}};
  table.in = load_of(problem, source, group.replicas);
  table.out = load_of(problem, group.replicas, source);
  return table;
}

// By first piece, the ends of stages whose pieces run on the device, within its memory.
std::vector<CutSet> PipelineTables::fits_of(std::size_t device) const {
  std::vector<CutSet> fits(pieces, CutSet(pieces + 1));
  for (std::size_t first = 0; first < pieces; ++first) {
    std::uint64_t weights = 0;
    std::uint64_t activations = 0;
    const std::uint64_t inputs = problem.waiting_inputs * problem.cut_bytes[first];
    for (std::size_t piece = first; piece < pieces; ++piece) {
      const PieceCost& cost = problem.cost[device][piece];
      if (!std::isfinite(cost.seconds)) break;
      weights += cost.weight_bytes;
      activations = std::max(activations, cost.activation_bytes);
      const std::uint64_t memory = weights + activations + inputs + problem.cut_bytes[piece + 1];
      if (memory <= problem.devices[device].memory_budget) fits[first].add(piece + 1);
    }
  }
  return fits;
}

// The cuts that a hop may lie at. `sending` and `receiving` are what the source's link does besides.
const CutSet& PipelineTables::cuts_within(const HopLoad& hop, double period, double sending,
                                          double receiving) const {
  if (!std::isfinite(hop.round_trip)) return up_to.front();
  std::size_t low = 0;
  std::size_t high = by_bytes.size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::uint64_t bytes = problem.cut_bytes[by_bytes[middle]];
    const bool fits = bytes <= hop.max_bytes && times(hop.other, bytes) <= period &&
                      times(hop.source_sending, bytes) + sending <= period &&
                      times(hop.source_receiving, bytes) + receiving <= period;
    if (fits) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return up_to[low];
}

PeriodTables PipelineTables::within(double period, const Allowed& first, const Allowed& last) const {
  PeriodTables tables;
  tables.begins.resize(groups.size());
  tables.lasts.resize(groups.size());
  double sending = kInfinity;
  double receiving = kInfinity;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    tables.ends.push_back(ends_within(of_group[group], pieces, period));
    tables.begins[group] = first[group] && can_begin(of_group[group].in, problem.cut_bytes.front(), period);
    tables.lasts[group] = last[group] && can_end(of_group[group].out, problem.cut_bytes.back(), period);
    if (tables.begins[group])
      sending = std::min(sending, times(of_group[group].in.source_sending, problem.cut_bytes.front()));
    if (tables.lasts[group])
      receiving = std::min(receiving, times(of_group[group].out.source_receiving, problem.cut_bytes.back()));
  }
  for (std::size_t from = 0; from < groups.size(); ++from) {
    auto& row = tables.cuts.emplace_back();
    auto& row_of_the_first = tables.cuts_of_the_first.emplace_back();
    const double own = times(of_group[from].in.source_sending, problem.cut_bytes.front());
    for (std::size_t to = 0; to < groups.size(); ++to) {
      row.push_back(&cuts_within(hops[from][to], period, sending, receiving));
      row_of_the_first.push_back(&cuts_within(hops[from][to], period, own, receiving));
    }
  }
  return tables;
}

std::size_t PipelineTables::taken(std::size_t state) const {
  std::size_t devices = 0;
  for (std::size_t kind = 0; kind < kinds.members.size(); ++kind) devices += states.count(state, kind);
  return devices;
}

std::size_t PipelineTables::group_of(const PlacedStage& stage) const {
  std::vector<std::size_t> counts(kinds.members.size(), 0);
  for (const Replica& replica : stage.replicas) {
    for (std::size_t kind = 0; kind < counts.size(); ++kind) {
      const auto& members = kinds.members[kind];
      if (std::find(members.begin(), members.end(), replica.device) != members.end()) ++counts[kind];
    }
  }
  const std::size_t state = states.state_of(counts);
  return static_cast<std::size_t>(
      std::find_if(groups.begin(), groups.end(), [&](const auto& group) { return group.state == state; }) -
      groups.begin());
}

Placement PipelineTables::placement_of(const std::vector<std::pair<std::size_t, std::size_t>>& stages) const {
  std::vector<PlacedStage> placed;
  std::vector<std::size_t> used(kinds.members.size(), 0);
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    if (!placed.empty()) placed.back().end_piece = stage->second;
    const ReplicaGroup& group = groups[stage->first];
    std::vector<Replica> replicas = group.replicas;
    std::size_t at = 0;
    for (std::size_t kind = 0; kind < used.size(); ++kind) {
      for (std::size_t i = 0; i < group.counts[kind]; ++i)
        replicas[at++].device = kinds.members[kind][used[kind]++];
    }
    placed.push_back({std::move(replicas), stage->second, pieces});
  }
  return evaluate_stages(problem, std::move(placed));
}

}  // namespace lamina
