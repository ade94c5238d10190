// What the stages of a pipeline keep busy, as sums over the shares of their replicas.
#pragma once

#include "plan/cost_model.h"
#include "plan/replica_groups.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

// The least of a stage's requests that one of so many replicas takes: a fiftieth of an even share. One that
// would take less is not worth its memory.
double least_share(std::size_t replicas);

// Devices of one kind that run one stage: each takes as many of its requests.
struct ShareParty {
  std::size_t stage = 0;
  std::size_t device = 0;  // one of them
  double devices = 0;
  double least = 0;  // of the requests, all of them together
  bool alone = false;
};

// Seconds times the share of one party, or times those of two.
struct ShareTerm {
  double seconds = 0;
  std::size_t one = 0;
  std::optional<std::size_t> other = {};
};
using ShareSum = std::vector<ShareTerm>;

struct ShareLoad {
  std::optional<std::size_t> party;  // that is busy; nothing: the source, by its link
  ShareSum seconds;
};

struct ShareLoads {
  std::vector<ShareParty> parties;  // in the order of their stages
  std::vector<ShareLoad> loads;
  ShareSum latency;
};

// Of stages with all their wires, their shares left aside; every device runs one stage at most. Where the
// first of them does not begin with the first piece, what comes into it is left out: these are the last
// stages of a pipeline.
ShareLoads share_loads_of(const PlacementProblem& problem, const DeviceKinds& kinds,
                          const std::vector<PlacedStage>& stages, std::size_t return_wire);

// `shares` are by party.
double value_of(const ShareSum& sum, const std::vector<double>& shares);
double longest_of(const ShareLoads& loads, const std::vector<double>& shares);

}  // namespace lamina
