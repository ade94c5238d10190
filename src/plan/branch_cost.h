// What branches cost that run beside each other.
//
// Where a block begins, the stage before it (or the source) sends to one stage of the block after the other,
// and last to the stage behind the block what passes the branches by: a device sends one at a time. Stages of
// different devices compute at once; branches on one device are one stage and run one after another. The
// stage behind the block begins when all has come: a device receives one at a time from others, in the order
// in which the branches end (of equal ones that which was sent to first); its own loopback is no shared link.
// Memory of a stage of branches: Σ weights + Σ activations + its inputs that wait and its outputs.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace lamina {

// The branches of a block that run on one device, as one stage.
struct BranchGroup {
  std::size_t device = 0;
  std::vector<std::size_t> branches;
};

// Seconds from the end of what comes before the block.
struct BlockTimes {
  std::vector<double> begins;  // of each group
  std::vector<double> ends;
  double joined = 0;  // all has come to the stage behind the block
};

bool has_branches(const std::vector<PlacedStage>& stages);
// The block whose branches the stage runs. Error(invalid_argument) where there is none.
const PlanBlock& block_of(const PlacementProblem& problem, const PlacedStage& stage);

// What a stage runs on a device, one after another: pieces or branches.
std::vector<const PieceCost*> costs_of(const PlacementProblem& problem, const PlacedStage& stage,
                                       std::size_t device);

// Of each tensor that some of the branches use, once.
std::uint64_t bytes_into(const PlanBlock& block, std::span<const std::size_t> branches);
// Of all that the branches make.
std::uint64_t bytes_out_of(const PlanBlock& block, std::span<const std::size_t> branches);
// Time of the branches on a device, one after another, without its waking.
double branches_seconds(const PlanBlock& block, std::size_t device, std::span<const std::size_t> branches);
std::uint64_t branches_memory(const PlacementProblem& problem, const PlanBlock& block, std::size_t device,
                              std::span<const std::size_t> branches);

// The time of a group where nothing else is on the way. More branches never make it less.
double seconds_alone(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                     const BranchGroup& group, std::size_t to);
// The groups are sent to in their order; what stands behind the block is on `to`.
BlockTimes time_block(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                      std::span<const BranchGroup> groups, std::size_t to);
// The order in which groups are sent to: first the one that takes longest from when it has its inputs until
// the stage behind has its results, which is best as long as results don't wait for each other (Jackson's
// rule).
void order_groups(const PlacementProblem& problem, const PlanBlock& block, std::size_t from,
                  std::vector<BranchGroup>& groups, std::size_t to);

// evaluate_stages() for stages of which some run branches. Error(unsupported) for replicas or wire formats
// beside branches: what forks and joins travels as it is.
Placement evaluate_branches(const PlacementProblem& problem, std::vector<PlacedStage> stages);

}  // namespace lamina
