#include "plan/problem.h"

#include "base/error.h"
#include "graph/wire_format.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>

namespace lamina {

namespace {

// `alone`: it runs as it was measured, not fused with what stands beside it.
PieceCost cost_of(const Benchmark& benchmark, std::size_t device, const PieceMeasurement& measured,
                  bool alone) {
  if (!measured.time) return {std::numeric_limits<double>::infinity(), 0, 0};
  const double own = std::max(measured.time->median - benchmark.wake[device], 0.0);
  return {own * (alone ? 1 : benchmark.fusion[device]), measured.time->weight_bytes,
          measured.time->activation_bytes,
          measured.time->steady * (alone ? 1 : benchmark.steady_fusion[device]), measured.time->load};
}

PlanBlock block_of(const Benchmark& benchmark, const BlockInfo& info) {
  const auto piece_at = [&](std::size_t PieceInfo::*end, std::size_t position) {
    const auto found = std::find_if(benchmark.pieces.begin(), benchmark.pieces.end(),
                                    [&](const PieceInfo& piece) { return piece.*end == position; });
    return static_cast<std::size_t>(found - benchmark.pieces.begin());
  };
  PlanBlock block;
  block.first_piece = piece_at(&PieceInfo::begin, info.begin);
  block.end_piece = piece_at(&PieceInfo::end, info.end) + 1;
  block.input_bytes = info.input_bytes;
  block.direct_bytes = info.direct_bytes;
  for (std::size_t i = 0; i < info.branches.size(); ++i) {
    PlanBranch& branch = block.branches.emplace_back();
    branch.name = info.branches[i].name;
    branch.inputs = info.branches[i].inputs;
    branch.output_bytes = info.branches[i].output_bytes;
    for (std::size_t device = 0; device < benchmark.devices.size(); ++device)
      branch.cost.push_back(cost_of(benchmark, device, info.measurements[device][i], true));
  }
  return block;
}

}  // namespace

PlacementProblem make_problem(const Benchmark& benchmark, const std::string& source) {
  PlacementProblem problem;
  std::string known;
  problem.source = benchmark.devices.size();
  for (std::size_t i = 0; i < benchmark.devices.size(); ++i) {
    const DeviceInfo& device = benchmark.devices[i];
    PlanDevice& planned = problem.devices.emplace_back(PlanDevice{
        device.name,
        static_cast<std::uint64_t>(static_cast<double>(device.free_memory) * benchmark.memory_multiplier),
        benchmark.wake[i]});
    planned.threads = std::max(device.threads, 1);
    planned.processors = device.cpus > 0 ? device.cpus : device.processors;
    const MessageTime& messages = benchmark.messages[i];
    planned.messages = {messages.send, messages.send_byte, messages.receive, messages.receive_byte};
    if (device.name == source) problem.source = i;
    known += (i > 0 ? ", " : "") + device.name;
  }
  if (problem.source == benchmark.devices.size()) {
    fail(ErrorCode::not_found, "there is no device '{}' in the benchmark, expected one of: {}", source,
         known);
  }
  for (const PieceInfo& piece : benchmark.pieces) problem.pieces.push_back({piece.name});
  problem.cut_bytes = benchmark.cut_bytes;
  problem.waiting_inputs = kWaitingRequests;
  for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
    std::vector<PieceCost> costs;
    for (const PieceMeasurement& measured : benchmark.measurements[device])
      costs.push_back(cost_of(benchmark, device, measured, false));
    problem.cost.push_back(std::move(costs));
    std::vector<LinkCost> links;
    for (const Link& link : benchmark.links[device]) links.push_back({link.round_trip_mean, link.bandwidth});
    problem.links.push_back(std::move(links));
  }
  for (const BlockInfo& block : benchmark.blocks) problem.blocks.push_back(block_of(benchmark, block));
  return problem;
}

PlacementProblem make_problem_of_rows(const Benchmark& benchmark, const std::string& source,
                                      std::int64_t rows) {
  const std::vector<std::int64_t> sizes = batch_sizes(benchmark);
  const auto above = std::lower_bound(sizes.begin(), sizes.end(), rows);
  if (above == sizes.end()) {
    fail(ErrorCode::not_found, "{} rows are more than the largest batch measured, {}", rows, sizes.back());
  }
  PlacementProblem more = make_problem(at_batch(benchmark, *above), source);
  if (above == sizes.begin() || *above == rows) return more;
  const std::int64_t least = *std::prev(above);
  const PlacementProblem less = make_problem(at_batch(benchmark, least), source);
  const double part = static_cast<double>(rows - least) / static_cast<double>(*above - least);
  const auto between = [part](double a, double b) { return a + part * (b - a); };
  const auto scale_bytes = [&](std::uint64_t& bytes, std::uint64_t small) {
    bytes = static_cast<std::uint64_t>(between(static_cast<double>(small), static_cast<double>(bytes)));
  };
  const auto scale_cost = [&](PieceCost& cost, const PieceCost& small) {
    if (!std::isfinite(small.seconds) || !std::isfinite(cost.seconds)) return;
    cost.steady = between(small.busy_seconds(), cost.busy_seconds());
    cost.seconds = between(small.seconds, cost.seconds);
  };
  for (std::size_t cut = 0; cut < more.cut_bytes.size(); ++cut)
    scale_bytes(more.cut_bytes[cut], less.cut_bytes[cut]);
  for (std::size_t device = 0; device < more.cost.size(); ++device) {
    for (std::size_t piece = 0; piece < more.cost[device].size(); ++piece)
      scale_cost(more.cost[device][piece], less.cost[device][piece]);
  }
  // The same blocks: both are of one model.
  for (std::size_t i = 0; i < std::min(more.blocks.size(), less.blocks.size()); ++i) {
    PlanBlock& block = more.blocks[i];
    const PlanBlock& small = less.blocks[i];
    scale_bytes(block.direct_bytes, small.direct_bytes);
    for (std::size_t input = 0; input < std::min(block.input_bytes.size(), small.input_bytes.size()); ++input)
      scale_bytes(block.input_bytes[input], small.input_bytes[input]);
    for (std::size_t branch = 0; branch < std::min(block.branches.size(), small.branches.size()); ++branch) {
      scale_bytes(block.branches[branch].output_bytes, small.branches[branch].output_bytes);
      for (std::size_t device = 0; device < more.devices.size(); ++device)
        scale_cost(block.branches[branch].cost[device], small.branches[branch].cost[device]);
    }
  }
  return more;
}

std::vector<WireSeconds> wire_seconds(const Benchmark& benchmark, const std::string& format) {
  if (format == to_string(WireFormat::f32)) return std::vector<WireSeconds>(benchmark.devices.size());
  std::vector<WireSeconds> seconds;
  for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
    const auto& times = benchmark.formats[device];
    const auto found = std::find_if(times.begin(), times.end(),
                                    [&](const FormatTime& time) { return time.format == format; });
    if (found == times.end())
      fail(ErrorCode::invalid_argument, "the benchmark has no times of wire format {} on '{}'", format,
           benchmark.devices[device].name);
    seconds.push_back({found->narrow, found->widen});
  }
  return seconds;
}

std::size_t find_device(const PlacementProblem& problem, const std::string& name, const std::string& who) {
  std::string known;
  for (std::size_t i = 0; i < problem.devices.size(); ++i) {
    if (problem.devices[i].name == name) return i;
    known += (i > 0 ? ", " : "") + problem.devices[i].name;
  }
  fail(ErrorCode::invalid_argument, "{} names device '{}', expected one of: {}", who, name, known);
}

}  // namespace lamina
