// What the searches for pipelines look up: which stages a group of devices can run, and which cuts a hop
// between two groups can lie at.
#pragma once

#include "plan/cost_model.h"
#include "plan/cut_set.h"
#include "plan/hop_load.h"
#include "plan/replica_groups.h"

#include <cstddef>
#include <utility>
#include <vector>

namespace lamina {

// One group of devices.
struct GroupTable {
  std::vector<CutSet> fits;               // by first piece: ends within memory where all pieces can run
  std::vector<std::vector<double>> busy;  // by replica: Σ of steady times before a cut, times its share
  std::vector<double>
      mean;         // Σ over the replicas of times before a cut by their shares, infinite ones left out
  double wake = 0;  // mean over the shares
  HopLoad in;       // from the source
  HopLoad out;      // back to it
};

// By group: whether a pipeline may begin, or end, with it.
using Allowed = std::vector<bool>;

// Everything that depends on the period, the groups to begin with and those to end with.
struct PeriodTables {
  std::vector<std::vector<CutSet>> ends;                      // [group][first piece]
  std::vector<std::vector<const CutSet*>> cuts;               // [from][to]
  std::vector<std::vector<const CutSet*>> cuts_of_the_first;  // the same where `from` is the first stage
  Allowed begins;
  Allowed lasts;
};

// Built once for a problem, then only read; `problem` must outlive it.
struct PipelineTables {
  // Stages have up to `most_replicas` replicas, fewer where there would be too many groups.
  PipelineTables(const PlacementProblem& problem, std::size_t most_replicas);

  // With several groups to begin (end) with, the source's link is charged for the least of their requests
  // (answers): a relaxation.
  PeriodTables within(double period, const Allowed& first, const Allowed& last) const;

  double stage_seconds(std::size_t group, std::size_t first, std::size_t end) const {
    return of_group[group].wake + of_group[group].mean[end] - of_group[group].mean[first];
  }
  double hop_seconds(std::size_t from, std::size_t to, std::size_t cut) const {
    return lamina::hop_seconds(hops[from][to], problem.cut_bytes[cut]);
  }
  double request_seconds(std::size_t group) const {
    return lamina::hop_seconds(of_group[group].in, problem.cut_bytes.front());
  }
  double answer_seconds(std::size_t group) const {
    return lamina::hop_seconds(of_group[group].out, problem.cut_bytes.back());
  }
  // Where a hop to `to` may lie after a stage of `from` with which the devices of `state` are taken.
  const CutSet& cuts_after(const PeriodTables& allowed, std::size_t state, std::size_t from,
                           std::size_t to) const {
    const bool is_first = state == groups[from].state;
    return is_first ? *allowed.cuts_of_the_first[from][to] : *allowed.cuts[from][to];
  }
  // Devices taken in a state.
  std::size_t taken(std::size_t state) const;
  // The group that runs a stage.
  std::size_t group_of(const PlacedStage& stage) const;
  // The pipeline of these stages, the last one first: group and first piece of each.
  Placement placement_of(const std::vector<std::pair<std::size_t, std::size_t>>& stages) const;

  const PlacementProblem& problem;
  std::size_t pieces;
  DeviceKinds kinds;
  StateSpace states;
  std::size_t replicas;
  std::vector<ReplicaGroup> groups;
  ReplicaGroup required;  // devices that a pipeline has to use
  std::vector<GroupTable> of_group;
  std::vector<std::vector<HopLoad>> hops;     // [from][to]
  std::vector<std::vector<bool>> fit_beside;  // [from][to]: whether there are devices for both
  std::vector<std::size_t> by_bytes;          // cuts, the one that the fewest bytes cross first
  std::vector<CutSet> up_to;                  // the first n of them

 private:
  GroupTable table_of(const ReplicaGroup& group, const std::vector<std::vector<CutSet>>& fits) const;
  std::vector<CutSet> fits_of(std::size_t device) const;
  std::vector<Replica> beside(const ReplicaGroup& taken, const ReplicaGroup& group) const;
  const CutSet& cuts_within(const HopLoad& hop, double period, double sending, double receiving) const;
};

}  // namespace lamina
