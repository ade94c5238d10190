#include "plan/problem_check.h"

#include "base/error.h"
#include "base/text.h"
#include "plan/completion_bound.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace lamina {

namespace {

void expect_wires(const PlacementProblem& problem) {
  const std::size_t cuts = problem.pieces.size() + 1;
  for (const PlanWire& wire : problem.wires) {
    if (wire.bytes.size() != cuts || wire.values.size() != cuts || wire.allowed.size() != cuts)
      fail(ErrorCode::invalid_argument, "wire format '{}' lacks figures", wire.format);
  }
  for (std::size_t cut = 0; cut < cuts; ++cut) {
    const auto allowed = [&](const PlanWire& wire) { return bool{wire.allowed[cut]}; };
    if (!problem.wires.empty() && std::none_of(problem.wires.begin(), problem.wires.end(), allowed))
      fail(ErrorCode::invalid_argument, "nothing may cross cut {} in any wire format", cut);
  }
  for (const PlanDevice& device : problem.devices) {
    const auto sound = [](const WireSeconds& wire) { return wire.narrow >= 0 && wire.widen >= 0; };
    if (device.wires.size() != problem.wires.size() ||
        !std::all_of(device.wires.begin(), device.wires.end(), sound))
      fail(ErrorCode::invalid_argument, "device '{}' lacks times of wire formats", device.name);
  }
}

bool runs_somewhere(const PlanBranch& branch) {
  return std::any_of(branch.cost.begin(), branch.cost.end(),
                     [](const PieceCost& cost) { return std::isfinite(cost.seconds); });
}

// Whether the piece's work can be done by branches.
bool can_branch(const PlacementProblem& problem, std::size_t piece) {
  return std::any_of(problem.blocks.begin(), problem.blocks.end(), [&](const PlanBlock& block) {
    return piece >= block.first_piece && piece < block.end_piece &&
           std::all_of(block.branches.begin(), block.branches.end(), runs_somewhere);
  });
}

bool runs_anything(const PlacementProblem& problem, std::size_t device) {
  const auto runs = [](const PieceCost& cost) { return std::isfinite(cost.seconds); };
  return std::any_of(problem.cost[device].begin(), problem.cost[device].end(), runs) ||
         std::any_of(problem.blocks.begin(), problem.blocks.end(), [&](const PlanBlock& block) {
           return std::any_of(block.branches.begin(), block.branches.end(),
                              [&](const PlanBranch& branch) { return runs(branch.cost[device]); });
         });
}

void expect_sound_blocks(const PlacementProblem& problem) {
  std::size_t reached = 0;
  for (const PlanBlock& block : problem.blocks) {
    bool fits = block.first_piece < block.end_piece && block.end_piece <= problem.pieces.size() &&
                (reached == 0 || block.first_piece > reached) && block.branches.size() > 1;
    for (const PlanBranch& branch : block.branches) {
      fits = fits && branch.cost.size() == problem.devices.size();
      for (const std::size_t input : branch.inputs) fits = fits && input < block.input_bytes.size();
      for (const PieceCost& cost : branch.cost) fits = fits && cost.seconds >= 0 && cost.busy_seconds() >= 0;
    }
    if (!fits)
      fail(ErrorCode::invalid_argument, "the figures of the block of pieces {} to {} don't fit",
           block.first_piece, block.end_piece);
    reached = block.end_piece;
  }
}

}  // namespace

void expect_sound(const PlacementProblem& problem) {
  const std::size_t devices = problem.devices.size();
  const std::size_t pieces = problem.pieces.size();
  if (devices == 0 || pieces == 0) {
    fail(ErrorCode::invalid_argument, "a plan of {} pieces for {} devices, expected at least one of each",
         pieces, devices);
  }
  const bool sizes_fit = problem.cost.size() == devices && problem.links.size() == devices &&
                         problem.cut_bytes.size() == pieces + 1 && problem.source < devices;
  if (!sizes_fit) fail(ErrorCode::invalid_argument, "the figures for a plan are incomplete");
  for (std::size_t i = 0; i < devices; ++i) {
    if (problem.cost[i].size() != pieces || problem.links[i].size() != devices) {
      fail(ErrorCode::invalid_argument, "device '{}' lacks figures", problem.devices[i].name);
    }
    if (!(problem.devices[i].wake >= 0)) {
      fail(ErrorCode::invalid_argument, "device '{}' wakes in {} s", problem.devices[i].name,
           problem.devices[i].wake);
    }
    const MessageSeconds& messages = problem.devices[i].messages;
    const bool messages_sound =
        messages.send >= 0 && messages.send_byte >= 0 && messages.receive >= 0 && messages.receive_byte >= 0;
    if (!messages_sound || !(problem.devices[i].threads > 0) || !(problem.devices[i].processors >= 0)) {
      fail(ErrorCode::invalid_argument, "device '{}' has figures of messages or processors that are none",
           problem.devices[i].name);
    }
    for (const PieceCost& cost : problem.cost[i]) {
      if (std::isnan(cost.seconds) || cost.seconds < 0 || !(cost.busy_seconds() >= 0)) {
        fail(ErrorCode::invalid_argument, "device '{}' has a time of {} s", problem.devices[i].name,
             cost.seconds);
      }
    }
    for (const LinkCost& link : problem.links[i]) {
      if (!(link.round_trip >= 0) || !(link.bandwidth >= 0)) {
        fail(ErrorCode::invalid_argument,
             "a link of device '{}' has a round trip of {} s and a bandwidth of {} bytes/s",
             problem.devices[i].name, link.round_trip, link.bandwidth);
      }
    }
  }
  expect_wires(problem);
  expect_sound_blocks(problem);
  if (const auto piece = find_stuck_piece(problem)) {
    fail(ErrorCode::out_of_memory,
         "piece '{}' can run on no device: it failed on them, or constraints forbid it",
         problem.pieces[*piece].name);
  }
}

std::optional<std::size_t> find_stuck_piece(const PlacementProblem& problem) {
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    const bool runs = std::any_of(problem.cost.begin(), problem.cost.end(),
                                  [&](const auto& costs) { return std::isfinite(costs[piece].seconds); });
    if (!runs && !can_branch(problem, piece)) return piece;
  }
  return std::nullopt;
}

void fail_for_memory(const PlacementProblem& problem) {
  if (!std::isfinite(CompletionBound(problem).from_start())) {
    fail(ErrorCode::out_of_memory,
         "no placement fits, whatever the memory: there are no links that carry what crosses between stages");
  }
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    if (problem.devices[device].required && !runs_anything(problem, device)) {
      fail(ErrorCode::out_of_memory, "no placement fits: '{}' is to be used, but can run nothing",
           problem.devices[device].name);
    }
  }
  std::uint64_t needed = 0;
  for (std::size_t piece = 0; piece < problem.pieces.size(); ++piece) {
    std::optional<std::uint64_t> least;  // of those that can run it
    for (const auto& costs : problem.cost) {
      if (std::isfinite(costs[piece].seconds))
        least = std::min(least.value_or(costs[piece].weight_bytes), costs[piece].weight_bytes);
    }
    needed += least.value_or(0);
  }
  std::string budgets;
  for (const PlanDevice& device : problem.devices) {
    budgets +=
        fmt::format("{}{} {}", budgets.empty() ? "" : ", ", device.name, format_bytes(device.memory_budget));
  }
  fail(ErrorCode::out_of_memory,
       "no placement fits: the model's weights take {}, beside them each stage needs its activations, "
       "inputs and outputs; "
       "memory for plans: {}",
       format_bytes(needed), budgets);
}

}  // namespace lamina
