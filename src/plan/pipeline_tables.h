// What the searches for pipelines look up: which stages a group of devices can run, and which cuts a hop
// between two groups can lie at. Stages do not know the shares of their neighbours: where there are replicas
// all figures are the least that any shares come to, so that what is found may not be possible
// (shared_pipeline.h), but nothing that is possible is left out.
#pragma once

#include "plan/cost_model.h"
#include "plan/cut_set.h"
#include "plan/front_end_hop.h"
#include "plan/hop_load.h"
#include "plan/replica_groups.h"
#include "plan/stage_load.h"
#include "plan/useful_wires.h"

#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

namespace lamina {

// One group of devices.
struct GroupTable {
  std::vector<CutSet> fits;  // by first piece: ends within memory where all pieces can run
  StageLoad load;
  std::shared_ptr<const DeviceWork> alone = {};  // of the one device, where it is one
  std::vector<WireSeconds> wires = {};           // by wire, the least
  std::vector<FrontEndHop> requests = {};        // by wire; of infinite seconds where it is not useful
  FrontEndHop answer = {};                       // in the wire in which the group sends on; likewise
};

// Whether a pipeline may begin, by group and wire of its requests (PipelineTables::beginning), or end, by
// group.
using Allowed = std::vector<bool>;

// The cuts that a hop may lie at: those that the links carry in time, of those where the wire in which `from`
// sends on is useful.
struct HopCuts {
  const CutSet* in_time;
  const CutSet* in_wire;
  bool has(std::size_t cut) const { return in_time->has(cut) && in_wire->has(cut); }
  std::uint64_t word(std::size_t index) const { return in_time->word(index) & in_wire->word(index); }
};

// The stages within a period.
struct PeriodStages {
  double period = 0;
  std::vector<std::vector<std::vector<CutSet>>> ends =
      {};                                             // [group][wire in which its input comes][first piece]
  std::vector<std::vector<CutSet>> ends_of_any = {};  // [group][first piece]: whichever that wire is
  // [group of several devices][first piece][end - first piece - 1]: the least seconds; where they are asked
  // for.
  std::vector<std::vector<std::vector<double>>> seconds = {};
};

// Everything that depends on the period, the groups to begin with and those to end with.
struct PeriodTables {
  const PeriodStages& stages;
  std::vector<std::vector<HopCuts>> cuts = {};               // [from][to]
  std::vector<std::vector<HopCuts>> cuts_of_the_first = {};  // the same where `from` is the first stage
  Allowed begins = {};
  Allowed lasts = {};
  std::vector<double> least_request = {};  // by group: seconds, infinite where no pipeline begins with it
};

// Built once for a problem, then only read; `problem` must outlive it.
struct PipelineTables {
  // Stages have up to `most_replicas` replicas, fewer where there would be too many groups.
  PipelineTables(const PlacementProblem& problem, std::size_t most_replicas);

  // Of a group and the wire of requests to it, in Allowed.
  std::size_t beginning(std::size_t group, std::size_t wire) const {
    return group * wire_count(problem) + wire;
  }
  // With several groups to begin (end) with, the source's link is charged for the least of their requests
  // (answers): a relaxation.
  PeriodTables within(const PeriodStages& stages, const Allowed& first, const Allowed& last) const;
  // `seconds`: stage_seconds() will be asked for.
  PeriodStages stages_within(double period, bool seconds) const;

  double stage_seconds(const PeriodStages& stages, std::size_t group, std::size_t first,
                       std::size_t end) const {
    const DeviceWork* const alone = of_group[group].alone.get();
    if (alone != nullptr) return alone->wake + alone->seconds[end] - alone->seconds[first];
    return stages.seconds[group][first][end - first - 1];
  }
  double hop_seconds(std::size_t from, std::size_t to, std::size_t cut) const;
  double request_seconds(std::size_t group, std::size_t wire) const {
    return of_group[group].requests[wire].seconds;
  }
  double answer_seconds(std::size_t group) const { return of_group[group].answer.seconds; }
  // Where a hop to `to` may lie after a stage of `from` with which the devices of `state` are taken.
  const HopCuts& cuts_after(const PeriodTables& allowed, std::size_t state, std::size_t from,
                            std::size_t to) const {
    const bool is_first = state == groups[from].state;
    return is_first ? allowed.cuts_of_the_first[from][to] : allowed.cuts[from][to];
  }
  // Devices taken in a state.
  std::size_t taken(std::size_t state) const;
  // The group that runs a stage and sends on in `wire`.
  std::size_t group_of(const PlacedStage& stage, std::size_t wire) const;
  // The last stages of a pipeline, or all of them, the last one first: group and first piece of each. Shares
  // are even. The first one's input comes in `wire`.
  std::vector<PlacedStage> stages_of(const std::vector<std::pair<std::size_t, std::size_t>>& stages,
                                     std::size_t wire) const;

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
  // By wire, cuts, the one that the fewest bytes cross first, and the first n of them.
  std::vector<std::vector<std::size_t>> by_bytes;
  std::vector<std::vector<CutSet>> up_to;
  std::vector<CutSet> useful;  // by wire

 private:
  void divide_by_wire();
  void sort_cuts();
  GroupTable table_of(const ReplicaGroup& group, const std::vector<std::shared_ptr<const DeviceWork>>& work,
                      const std::vector<std::vector<CutSet>>& fits) const;
  std::vector<std::vector<double>> least_seconds(const PeriodStages& stages, std::size_t group) const;
  std::vector<CutSet> fits_of(std::size_t device) const;
  std::vector<std::size_t> beside(const ReplicaGroup& taken, const ReplicaGroup& group) const;
  HopCuts cuts_within(std::size_t from, std::size_t to, double period, double sending,
                      double receiving) const;
};

}  // namespace lamina
