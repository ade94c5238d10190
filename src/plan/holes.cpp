#include "plan/holes.h"

#include "plan/problem_check.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <map>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::size_t kMostNamed = 4;
constexpr double kEndless = 1e18;  // bytes a second

std::string first_few(const std::vector<std::string>& texts) {
  const std::size_t named = std::min(texts.size(), kMostNamed);
  std::string text =
      fmt::format("{}", fmt::join(texts.begin(), texts.begin() + static_cast<std::ptrdiff_t>(named), ", "));
  if (texts.size() > named) text += fmt::format(" and {} more", texts.size() - named);
  return text;
}

std::string quoted(std::vector<std::string> names) {
  for (std::string& name : names) name = fmt::format("'{}'", name);
  return first_few(names);
}

// The parts that failed for the same reason together.
std::string by_reason(const std::vector<std::string>& parts, const std::vector<std::string>& reasons) {
  std::vector<std::pair<std::string, std::vector<std::string>>> groups;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto known = std::find_if(groups.begin(), groups.end(),
                                    [&](const auto& group) { return group.first == reasons[i]; });
    auto& group =
        known == groups.end() ? groups.emplace_back(reasons[i], std::vector<std::string>{}) : *known;
    group.second.push_back(parts[i]);
  }
  std::string text;
  for (const auto& [reason, names] : groups)
    text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", quoted(names), reason);
  return text;
}

std::string why_dead(const Link& link) {
  return link.failure.empty() ? "it has no bandwidth" : "it could not be measured: " + link.failure;
}

// For each link that carries nothing.
void for_each_dead_link(const Benchmark& benchmark,
                        const std::function<void(std::size_t from, std::size_t to)>& visit) {
  for (std::size_t from = 0; from < benchmark.links.size(); ++from) {
    for (std::size_t to = 0; to < benchmark.links[from].size(); ++to) {
      if (!(benchmark.links[from][to].bandwidth > 0)) visit(from, to);
    }
  }
}

// A piece as it is where it runs best, or as if it took no time where it runs nowhere.
PieceCost best_of(const PlacementProblem& problem, const Benchmark& benchmark, std::size_t piece) {
  PieceCost best{std::numeric_limits<double>::infinity(), benchmark.pieces[piece].weight_bytes, 0};
  for (const auto& costs : problem.cost) {
    if (costs[piece].seconds < best.seconds) best = costs[piece];
  }
  if (!std::isfinite(best.seconds)) best.seconds = 0;
  return best;
}

}  // namespace

std::vector<std::string> describe_holes(const Benchmark& benchmark) {
  std::vector<std::string> lines;
  for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
    std::vector<std::string> parts;
    std::vector<std::string> reasons;
    const auto look_at = [&](const PieceMeasurement& measured, const std::string& name) {
      if (measured.time) return;
      parts.push_back(name);
      reasons.push_back(measured.failure);
    };
    for (std::size_t piece = 0; piece < benchmark.pieces.size(); ++piece)
      look_at(benchmark.measurements[device][piece], benchmark.pieces[piece].name);
    const bool runs_nothing = parts.size() == benchmark.pieces.size();
    for (const BlockInfo& block : benchmark.blocks) {
      for (std::size_t branch = 0; branch < block.branches.size(); ++branch)
        look_at(block.measurements[device][branch], block.branches[branch].name);
    }
    if (parts.empty()) continue;
    lines.push_back(fmt::format("'{}' {} {}", benchmark.devices[device].name,
                                runs_nothing ? "is left out, since it can't run" : "can't run",
                                by_reason(parts, reasons)));
  }
  for_each_dead_link(benchmark, [&](std::size_t from, std::size_t to) {
    lines.push_back(fmt::format("nothing is sent over the link from '{}' to '{}': {}",
                                benchmark.devices[from].name, benchmark.devices[to].name,
                                why_dead(benchmark.links[from][to])));
  });
  return lines;
}

std::vector<Hole> holes_of(const Benchmark& benchmark, const std::set<std::string>& gone) {
  std::vector<Hole> holes;
  std::vector<std::pair<std::size_t, std::size_t>> failed;  // device and piece
  std::vector<std::string> machines;
  for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
    const std::string& name = benchmark.devices[device].name;
    if (gone.contains(name)) continue;
    for (std::size_t piece = 0; piece < benchmark.pieces.size(); ++piece) {
      if (benchmark.measurements[device][piece].time) continue;
      failed.emplace_back(device, piece);
      if (machines.empty() || machines.back() != name) machines.push_back(name);
    }
  }
  if (!failed.empty()) {
    holes.push_back({"what failed on " + quoted(machines), [&benchmark, failed](PlacementProblem& problem) {
                       const PlacementProblem measured = problem;
                       for (const auto& [device, piece] : failed)
                         problem.cost[device][piece] = best_of(measured, benchmark, piece);
                     }});
  }
  std::vector<std::string> links;
  for_each_dead_link(benchmark, [&](std::size_t from, std::size_t to) {
    links.push_back(fmt::format("from '{}' to '{}' ({})", benchmark.devices[from].name,
                                benchmark.devices[to].name, why_dead(benchmark.links[from][to])));
  });
  if (!links.empty()) {
    holes.push_back({"the lack of a link " + first_few(links), [](PlacementProblem& problem) {
                       for (auto& row : problem.links) {
                         for (LinkCost& link : row) {
                           if (!(link.bandwidth > 0)) link.bandwidth = kEndless;
                         }
                       }
                     }});
  }
  return holes;
}

std::optional<std::string> explain_stuck_piece(const Benchmark& benchmark, const PlacementProblem& free,
                                               const PlacementProblem& problem,
                                               const std::set<std::string>& gone) {
  const std::optional<std::size_t> piece = find_stuck_piece(problem);
  if (!piece) return std::nullopt;
  std::vector<std::string> reasons;
  for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
    const std::string& name = benchmark.devices[device].name;
    const PieceMeasurement& measured = benchmark.measurements[device][*piece];
    if (gone.contains(name)) {
      reasons.push_back(fmt::format("'{}' is gone", name));
    } else if (!measured.time) {
      reasons.push_back(fmt::format("on '{}' it failed: {}", name, measured.failure));
    } else if (std::isfinite(free.cost[device][*piece].seconds)) {
      reasons.push_back(fmt::format("constraints forbid '{}'", name));
    }
  }
  return fmt::format("slice '{}' can run on no machine: {}", benchmark.pieces[*piece].name,
                     fmt::join(reasons, "; "));
}

}  // namespace lamina
