#include "plan/branch_tables.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

constexpr double kNever = std::numeric_limits<double>::infinity();
// Kept of each block, sender and receiver where there are more ways than are looked at.
constexpr std::size_t kFew = 48;
constexpr std::size_t kMostPartial = 20'000;
// Ways of all blocks, senders and receivers together that are listed in full.
constexpr double kMostListed = 1e5;

// The ways to share out a block's branches.
double ways_of(const PlanBlock& block, std::size_t devices) {
  double ways = 1;
  for (std::size_t i = 0; i < block.branches.size(); ++i) ways *= static_cast<double>(devices);
  return ways;
}

}  // namespace

BranchTables::BranchTables(const PlacementProblem& problem, std::size_t max_options, Deadline deadline)
    : problem_(problem) {
  const std::size_t devices = problem.devices.size();
  double all = 0;
  for (const PlanBlock& block : problem.blocks)
    all += ways_of(block, devices) * static_cast<double>(devices * devices);
  for (const PlanBlock& block : problem.blocks) {
    blocks_[block.first_piece] = &block;
    auto& options = options_[block.first_piece];
    const bool list_all = ways_of(block, devices) <= static_cast<double>(max_options) && all <= kMostListed;
    const bool ends_model = block.end_piece == problem.pieces.size();
    for (std::size_t from = 0; from < devices; ++from) {
      for (std::size_t to = 0; to < devices; ++to) {
        const bool needed =
            (block.first_piece > 0 || from == problem.source) && (!ends_model || to == problem.source);
        whole_ = whole_ && !deadline.passed();
        options.push_back(
            !needed || !whole_
                ? BlockOptions{}
                : find_block_options(problem, block, from, to, list_all ? max_options : kFew,
                                     list_all ? std::numeric_limits<std::size_t>::max() : kMostPartial));
      }
    }
  }
  const std::size_t pieces = problem.pieces.size();
  to_come_.assign(pieces + 1, std::vector<double>(devices, kNever));
  known_.assign(pieces + 1, std::vector<bool>(devices, false));
  step_.assign(pieces + 1, std::vector<BranchStep>(devices));
  for (std::size_t device = 0; device < devices; ++device) {
    const double back = hop_cost(problem, device, problem.source, pieces).seconds();
    consider(pieces, device, back, true, {BranchStep::kPieces, problem.source});
  }
  for (std::size_t piece = pieces; whole_ && piece-- > 0;) fill(piece);
}

const PlanBlock* BranchTables::block_at(std::size_t piece) const {
  const auto found = blocks_.find(piece);
  return found == blocks_.end() ? nullptr : found->second;
}

const BlockOptions& BranchTables::options(std::size_t piece, std::size_t from, std::size_t to) const {
  return options_.at(piece)[from * problem_.devices.size() + to];
}

double BranchTables::from_join(std::size_t piece, std::size_t device) const {
  if (piece == problem_.pieces.size()) return 0;
  return problem_.devices[device].wake + problem_.cost[device][piece].seconds + to_come_[piece + 1][device];
}

void BranchTables::consider(std::size_t pieces, std::size_t device, double seconds, bool known,
                            BranchStep step) {
  if (!(seconds < to_come_[pieces][device])) return;
  to_come_[pieces][device] = seconds;
  known_[pieces][device] = known;
  step_[pieces][device] = step;
}

void BranchTables::fill(std::size_t pieces) {
  const std::size_t devices = problem_.devices.size();
  const PlanBlock* block = block_at(pieces);
  for (std::size_t from = 0; from < devices; ++from) {
    // Before the first piece there is no stage that it could join.
    if (pieces == 0 && from != problem_.source) continue;
    for (std::size_t device = 0; device < devices; ++device) {
      double seconds = problem_.cost[device][pieces].seconds + to_come_[pieces + 1][device];
      if (device != from || pieces == 0)
        seconds += hop_cost(problem_, from, device, pieces).seconds() + problem_.devices[device].wake;
      consider(pieces, from, seconds, true, {BranchStep::kPieces, device});
    }
    for (std::size_t to = 0; block != nullptr && to < devices; ++to) {
      const BlockOptions& ways = options(pieces, from, to);
      const double behind = from_join(block->end_piece, to);
      if (!ways.best.empty()) consider(pieces, from, ways.best.front().seconds + behind, true, {0, to});
      consider(pieces, from, ways.others + behind, false, {0, to});
    }
  }
}

}  // namespace lamina
