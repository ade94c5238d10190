// Random planning problems, small enough for brute force.
#pragma once

#include "plan/cost_model.h"

#include <functional>
#include <limits>
#include <optional>
#include <random>
#include <vector>

namespace lamina {

struct RandomProblemOptions {
  std::size_t max_devices = 4;
  std::size_t max_pieces = 6;
  double tightness = 1;   // memory budgets around this share of what all pieces need
  double forbidden = 0;   // share of pieces that can't run on a device
  std::size_t wires = 0;  // formats besides the plain one
  bool messages = false;  // that take processors, of which devices have few
  std::size_t least_devices = 1;
  std::size_t least_pieces = 1;
};

// Formats that make values narrow for some time, each allowed at some cuts; the plain one, first, at all.
inline void add_wires(PlacementProblem& problem, std::size_t wires, std::mt19937& random) {
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  const std::size_t cuts = problem.cut_bytes.size();
  for (std::size_t wire = 0; wire <= wires; ++wire) {
    PlanWire& added = problem.wires.emplace_back(PlanWire{std::to_string(wire), problem.cut_bytes, {}, {}});
    for (std::size_t cut = 0; cut < cuts; ++cut) {
      if (wire > 0) added.bytes[cut] = static_cast<std::uint64_t>(real(0.1, 0.8) * double(added.bytes[cut]));
      added.values.push_back(wire > 0 ? problem.cut_bytes[cut] : 0);
      added.allowed.push_back(wire == 0 || real(0, 1) < 0.7);
    }
    for (PlanDevice& device : problem.devices) device.wires.push_back({real(0, 1e-3), real(0, 1e-3)});
  }
}

inline void add_messages(PlacementProblem& problem, std::mt19937& random) {
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  for (PlanDevice& device : problem.devices) {
    device.threads = real(0.5, 3);
    device.processors = real(0, 1) < 0.3 ? 0 : real(0.5, 4);
    device.messages = {real(0, 0.3), real(0, 1e-3), real(0, 0.3), real(0, 1e-3)};
  }
}

inline PlacementProblem random_problem(std::mt19937& random, const RandomProblemOptions& options) {
  const auto pick = [&](std::size_t low, std::size_t high) {
    return std::uniform_int_distribution<std::size_t>(low, high)(random);
  };
  const auto real = [&](double low, double high) {
    return std::uniform_real_distribution<double>(low, high)(random);
  };
  PlacementProblem problem;
  const std::size_t devices = pick(options.least_devices, options.max_devices);
  const std::size_t pieces = pick(options.least_pieces, options.max_pieces);
  std::uint64_t all = 0;
  for (std::size_t piece = 0; piece < pieces; ++piece)
    problem.pieces.push_back({"piece" + std::to_string(piece)});
  for (std::size_t cut = 0; cut <= pieces; ++cut) problem.cut_bytes.push_back(pick(0, 1000));
  std::vector<PieceCost> sizes;
  for (std::size_t piece = 0; piece < pieces; ++piece) {
    sizes.push_back({0, pick(0, 5000), pick(0, 2000)});
    all += sizes.back().weight_bytes + sizes.back().activation_bytes;
  }
  for (std::size_t device = 0; device < devices; ++device) {
    const double speed = real(0.2, 5);
    auto& row = problem.cost.emplace_back();
    for (std::size_t piece = 0; piece < pieces; ++piece) {
      PieceCost cost = sizes[piece];
      cost.seconds =
          real(0, 1) < options.forbidden ? std::numeric_limits<double>::infinity() : speed * real(0.1, 2);
      if (real(0, 1) < 0.5) cost.steady = cost.seconds * real(0.6, 1.6);
      row.push_back(cost);
    }
    const double share = options.tightness * real(0.3, 1.5);
    problem.devices.push_back({"device" + std::to_string(device),
                               static_cast<std::uint64_t>(share * static_cast<double>(all)), real(0, 0.3)});
    auto& links = problem.links.emplace_back();
    for (std::size_t to = 0; to < devices; ++to) links.push_back({real(0, 0.5), real(100, 10000)});
  }
  problem.source = pick(0, devices - 1);
  if (options.wires > 0) add_wires(problem, options.wires, random);
  if (options.messages) add_messages(problem, random);
  return problem;
}

// Makes all devices but the source alike, with the figures of one of them.
inline void make_alike(PlacementProblem& problem) {
  const std::size_t model = problem.source == 0 ? problem.devices.size() - 1 : 0;
  for (std::size_t device = 0; device < problem.devices.size(); ++device) {
    if (device == problem.source || device == model) continue;
    problem.devices[device] = problem.devices[model];
    problem.cost[device] = problem.cost[model];
  }
  const LinkCost between = problem.links[model][model];
  const LinkCost in = problem.links[problem.source][model];
  const LinkCost out = problem.links[model][problem.source];
  for (std::size_t a = 0; a < problem.devices.size(); ++a) {
    for (std::size_t b = 0; b < problem.devices.size(); ++b) {
      if (a == problem.source && b == problem.source) continue;
      problem.links[a][b] = a == problem.source ? in : b == problem.source ? out : between;
    }
  }
}

// Calls `visit` with every feasible assignment of pieces to devices, machines used as often as one likes.
inline void for_every_placement(const PlacementProblem& problem,
                                const std::function<void(const Placement&)>& visit) {
  std::vector<std::size_t> device_of(problem.pieces.size(), 0);
  while (true) {
    const Placement placement = evaluate(problem, device_of);
    if (is_feasible(problem, placement)) visit(placement);
    std::size_t piece = 0;
    while (piece < device_of.size() && ++device_of[piece] == problem.devices.size()) device_of[piece++] = 0;
    if (piece == device_of.size()) return;
  }
}

// The least latency over every assignment of pieces to devices; nothing where none fits.
inline std::optional<double> brute_force(const PlacementProblem& problem) {
  std::optional<double> best;
  for_every_placement(problem, [&](const Placement& placement) {
    if (!best || placement.latency < *best) best = placement.latency;
  });
  return best;
}

}  // namespace lamina
