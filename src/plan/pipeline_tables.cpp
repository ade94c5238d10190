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
constexpr double kRounding = 1e-12;

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
  return std::isfinite(hop.seconds) && std::max(hop.source, hop.other) * (1 - kRounding) <= period;
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
  std::vector<std::shared_ptr<const DeviceWork>> work;  // by device
  for (std::size_t device = 0; device < of.devices.size(); ++device)
    work.push_back(std::make_shared<const DeviceWork>(of, device));
  for (const ReplicaGroup& group : groups) of_group.push_back(table_of(group, work, fits));
  for (const ReplicaGroup& from : groups) {
    auto& row = hops.emplace_back();
    auto& fit = fit_beside.emplace_back();
    for (const ReplicaGroup& to : groups) {
      row.push_back(load_of(problem, from.devices, beside(from, to)));
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
std::vector<std::size_t> PipelineTables::beside(const ReplicaGroup& taken, const ReplicaGroup& group) const {
  std::vector<std::size_t> devices;
  for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
    const auto& members = kinds.members[kind];
    for (std::size_t i = 0; i < group.counts[kind]; ++i)
      devices.push_back(members[(taken.counts[kind] + i) % members.size()]);
  }
  return devices;
}

GroupTable PipelineTables::table_of(const ReplicaGroup& group,
                                    const std::vector<std::shared_ptr<const DeviceWork>>& work,
                                    const std::vector<std::vector<CutSet>>& fits) const {
  GroupTable table{.fits = {}, .load = StageLoad(problem, group.devices, work)};
  if (group.devices.size() == 1) table.alone = work[group.devices.front()];
  table.wires.assign(problem.wires.size(), {kInfinity, kInfinity});
  for (const std::size_t device : group.devices) {
    for (std::size_t wire = 0; wire < table.wires.size(); ++wire) {
      const WireSeconds& of_device = problem.devices[device].wires[wire];
      table.wires[wire].narrow = std::min(table.wires[wire].narrow, of_device.narrow);
      table.wires[wire].widen = std::min(table.wires[wire].widen, of_device.widen);
    }
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
    table.requests.push_back(useful[wire].has(0) ? request_to(problem, group.devices, wire)
                                                 : FrontEndHop{kInfinity});
  }
  table.answer = useful[group.wire].has(pieces) ? answer_from(problem, group.devices, group.wire)
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
    if (lamina::is_within(hop, bytes, period, sending, receiving)) {
      low = middle + 1;
    } else {
      high = middle;
    }
  }
  return {&up_to[wire][low], &useful[wire]};
}

PeriodStages PipelineTables::stages_within(double period, bool seconds) const {
  PeriodStages stages{period};
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const GroupTable& of = of_group[group];
    auto& ends = stages.ends.emplace_back();
    for (std::size_t input = 0; input < wire_count(problem); ++input)
      ends.push_back(of.load.ends_within(period, input, groups[group].wire, of.fits));
    stages.ends_of_any.push_back(ends.front());
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      for (const auto& of_input : ends) stages.ends_of_any[group][piece].add(of_input[piece]);
    }
    stages.seconds.emplace_back();
    if (seconds && !of.alone) stages.seconds.back() = least_seconds(stages, group);
  }
  return stages;
}

std::vector<std::vector<double>> PipelineTables::least_seconds(const PeriodStages& stages,
                                                               std::size_t group) const {
  std::vector<std::vector<double>> seconds(pieces);
  for (std::size_t first = 0; first < pieces; ++first) {
    for (std::size_t end = first + 1; end <= pieces; ++end) {
      if (!stages.ends_of_any[group][first].has(end)) continue;
      seconds[first].resize(end - first, kInfinity);
      seconds[first].back() = of_group[group].load.least_seconds(stages.period, first, end);
    }
  }
  return seconds;
}

PeriodTables PipelineTables::within(const PeriodStages& stages, const Allowed& first,
                                    const Allowed& last) const {
  const double period = stages.period;
  PeriodTables tables{stages};
  tables.begins.resize(first.size());
  tables.least_request.assign(groups.size(), kInfinity);
  std::vector<double> request_sending(groups.size(), kInfinity);
  tables.lasts.resize(groups.size());
  double sending = kInfinity;
  double receiving = kInfinity;
  for (std::size_t group = 0; group < groups.size(); ++group) {
    const GroupTable& of = of_group[group];
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
  for (const Replica& replica : stage.replicas) ++counts[kinds.kind_of[replica.device]];
  const std::size_t state = states.state_of(counts);
  return static_cast<std::size_t>(
      std::find_if(groups.begin(), groups.end(),
                   [&](const auto& group) { return group.state == state && group.wire == wire; }) -
      groups.begin());
}

std::vector<PlacedStage> PipelineTables::stages_of(
    const std::vector<std::pair<std::size_t, std::size_t>>& stages, std::size_t wire) const {
  std::vector<PlacedStage> placed;
  std::vector<std::size_t> used(kinds.members.size(), 0);
  for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
    if (!placed.empty()) placed.back().end_piece = stage->second;
    const ReplicaGroup& group = groups[stage->first];
    PlacedStage& added = placed.emplace_back(PlacedStage{{}, stage->second, pieces});
    const double share = 1 / static_cast<double>(group.devices.size());
    for (std::size_t kind = 0; kind < used.size(); ++kind) {
      for (std::size_t i = 0; i < group.counts[kind]; ++i)
        added.replicas.push_back({kinds.members[kind][used[kind]++], share});
    }
    added.wire = wire;
    wire = group.wire;
  }
  return placed;
}

}  // namespace lamina
