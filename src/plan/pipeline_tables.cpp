#include "plan/pipeline_tables.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <numeric>
#include <utility>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Bounds of what the tables may take.
constexpr double kMostGroups = 2'000;
constexpr double kMostCells = 4e6;

// The most replicas, up to those asked for, whose groups the tables can hold.
std::size_t most_replicas(const DeviceKinds& kinds, std::size_t wanted, std::size_t wires) {
  std::size_t devices = 0;
  double states = 1;
  for (const auto& members : kinds.members) {
    devices += members.size();
    states *= static_cast<double>(members.size() + 1);
  }
  for (std::size_t replicas = std::min(wanted, devices); replicas > 1; --replicas) {
    const double groups = count_groups(kinds, replicas) * static_cast<double>(wires);
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

bool is_within(const FrontEndHop& hop, double period) {
  return std::isfinite(hop.seconds) && std::max(hop.source, hop.other) <= period;
}

}  // namespace

PipelineTables::PipelineTables(const PlacementProblem& of, std::size_t wanted)
    : problem(of),
      pieces(of.pieces.size()),
      kinds(find_kinds(of)),
      states(kinds),
      replicas(most_replicas(kinds, wanted, wire_count(of))),
      groups(make_groups(of, kinds, states, replicas)),
      required(required_of(of, kinds)),
      useful(useful_wires(of)) {
  divide_by_wire();
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
  sort_cuts();
}

void PipelineTables::sort_cuts() {
  for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
    std::vector<std::size_t>& order = by_bytes.emplace_back(pieces + 1);
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::sort(order.begin(), order.end(), [&](std::size_t a, std::size_t b) {
      return wire_bytes(problem, wire, a) < wire_bytes(problem, wire, b);
    });
    CutSet cuts(pieces + 1);
    std::vector<CutSet>& sets = up_to.emplace_back();
    sets.push_back(cuts);
    for (const std::size_t cut : order) {
      cuts.add(cut);
      sets.push_back(cuts);
    }
  }
}

// Each group once for each wire in which it may send on.
void PipelineTables::divide_by_wire() {
  const std::vector<ReplicaGroup> all = std::exchange(groups, {});
  for (const ReplicaGroup& group : all) {
    for (std::size_t wire = 0; wire < useful.size(); ++wire) {
      bool used = false;
      for (std::size_t cut = 1; cut <= pieces; ++cut) used = used || useful[wire].has(cut);
      if (!used) continue;
      groups.push_back(group);
      groups.back().wire = wire;
    }
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
  GroupTable table{.fits = {}, .load = StageLoad(problem, group.replicas)};
  table.mean.assign(pieces + 1, 0);
  table.wires.resize(problem.wires.size());
  for (const Replica& replica : group.replicas) {
    double mean = 0;
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      const PieceCost& cost = problem.cost[replica.device][piece];
      if (std::isfinite(cost.seconds)) mean += replica.share * cost.seconds;
      table.mean[piece + 1] += mean;
    }
    const PlanDevice& device = problem.devices[replica.device];
    for (std::size_t wire = 0; wire < table.wires.size(); ++wire) {
      table.wires[wire].narrow += replica.share * device.wires[wire].narrow;
      table.wires[wire].widen += replica.share * device.wires[wire].widen;
    }
    table.wake += replica.share * device.wake;
  }
  for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
    if (group.counts[kind] == 0) continue;
    if (table.fits.empty()) {
      table.fits = fits[kind];
    } else {
      for (std::size_t first = 0; first < pieces; ++first) table.fits[first].keep(fits[kind][first]);
    }
  }
  for (std::size_t wire = 0; wire < useful.size(); ++wire) {
    table.requests.push_back(useful[wire].has(0) ? request_to(problem, group.replicas, wire)
                                                 : FrontEndHop{kInfinity});
  }
  table.answer = useful[group.wire].has(pieces) ? answer_from(problem, group.replicas, group.wire)
                                                : FrontEndHop{kInfinity};
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

double PipelineTables::hop_seconds(std::size_t from, std::size_t to, std::size_t cut) const {
  const std::size_t wire = groups[from].wire;
  const double seconds = lamina::hop_seconds(hops[from][to], wire_bytes(problem, wire, cut));
  if (problem.wires.empty()) return seconds;
  const auto values = static_cast<double>(problem.wires[wire].values[cut]);
  return seconds + values * (of_group[from].wires[wire].narrow + of_group[to].wires[wire].widen);
}

// `sending` and `receiving` are what the source's link does besides.
HopCuts PipelineTables::cuts_within(std::size_t from, std::size_t to, double period, double sending,
                                    double receiving) const {
  const HopLoad& hop = hops[from][to];
  const std::size_t wire = groups[from].wire;
  if (!std::isfinite(hop.round_trip)) return {&up_to[wire].front(), &useful[wire]};
  std::size_t low = 0;
  std::size_t high = by_bytes[wire].size();
  while (low < high) {
    const std::size_t middle = (low + high) / 2;
    const std::uint64_t bytes = wire_bytes(problem, wire, by_bytes[wire][middle]);
    const bool fits = bytes <= hop.max_bytes && times(hop.other, bytes) <= period &&
                      times(hop.source_sending, bytes) + sending <= period &&
                      times(hop.source_receiving, bytes) + receiving <= period;
    if (fits) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {&up_to[wire][low], &useful[wire]};
}

PeriodTables PipelineTables::within(double period, const Allowed& first, const Allowed& last) const {
  PeriodTables tables;
  tables.begins.resize(first.size());
  tables.least_request.assign(groups.size(), kInfinity);
  std::vector<double> request_sending(groups.size(), kInfinity);
  tables.lasts.resize(groups.size());
  double sending = kInfinity;
  double receiving = kInfinity;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const GroupTable& of = of_group[group];
    const std::size_t wire = groups[group].wire;
    auto& ends = tables.ends.emplace_back();
    for (std::size_t input = 0; input < wire_count(problem); ++input)
      ends.push_back(of.load.ends_within(period, input, wire, of.fits));
    tables.ends_of_any.push_back(ends.front());
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      for (const auto& of_input : ends) tables.ends_of_any[group][piece].add(of_input[piece]);
    }
    for (std::size_t input = 0; input < of.requests.size(); ++input) {
      const FrontEndHop& request = of.requests[input];
      const std::size_t begin = beginning(group, input);
      tables.begins[begin] = first[begin] && is_within(request, period);
      if (!tables.begins[begin]) continue;
      tables.least_request[group] = std::min(tables.least_request[group], request.seconds);
      request_sending[group] = std::min(request_sending[group], request.source);
    }
    tables.lasts[group] = last[group] && is_within(of.answer, period);
    sending = std::min(sending, request_sending[group]);
    if (tables.lasts[group]) receiving = std::min(receiving, of.answer.source);
  }
  for (std::size_t from = 0; from < groups.size(); ++from) {
    auto& row = tables.cuts.emplace_back();
    auto& row_of_the_first = tables.cuts_of_the_first.emplace_back();
    for (std::size_t to = 0; to < groups.size(); ++to) {
      row.push_back(cuts_within(from, to, period, sending, receiving));
      row_of_the_first.push_back(cuts_within(from, to, period, request_sending[from], receiving));
    }
  }
  return tables;
}

std::size_t PipelineTables::taken(std::size_t state) const {
  std::size_t devices = 0;
  for (std::size_t kind = 0; kind < kinds.members.size(); ++kind) devices += states.count(state, kind);
  return devices;
}

std::size_t PipelineTables::group_of(const PlacedStage& stage, std::size_t wire) const {
  std::vector<std::size_t> counts(kinds.members.size(), 0);
  for (const Replica& replica : stage.replicas) {
    for (std::size_t kind = 0; kind < counts.size(); ++kind) {
      const auto& members = kinds.members[kind];
      if (std::find(members.begin(), members.end(), replica.device) != members.end()) ++counts[kind];
    }
  }
  const std::size_t state = states.state_of(counts);
  return static_cast<std::size_t>(
      std::find_if(groups.begin(), groups.end(),
                   [&](const auto& group) { return group.state == state && group.wire == wire; }) -
      groups.begin());
}

Placement PipelineTables::placement_of(const std::vector<std::pair<std::size_t, std::size_t>>& stages,
                                       std::size_t request_wire) const {
  std::vector<PlacedStage> placed;
  std::size_t wire = request_wire;
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
    placed.back().wire = wire;
    wire = group.wire;
  }
  return evaluate_stages(problem, std::move(placed), wire);
}

}  // namespace lamina
