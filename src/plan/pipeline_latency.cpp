#include "plan/pipeline_latency.h"

#include "plan/device_prices.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// The best way to a cut so far.
struct Way {
  double latency = kInfinity;
  std::uint32_t from = 0;  // group of the stage before; of the first stage, wire of the requests
  std::uint32_t cut = 0;   // where the last stage begins
};

class Search {
 public:
  Search(const PipelineTables& tables, const PeriodTables& allowed, const DevicePrices& prices, double most)
      : tables_(tables),
        allowed_(allowed),
        prices_(prices),
        most_(most),
        ways_(tables.states.size() * tables.groups.size()),
        groups_of_(tables.states.size()),
        starts_(tables.pieces) {}

  std::optional<Placement> run(const PipelineLimits& limits, const Deadline& deadline) {
    double best = kInfinity;
    std::pair<std::size_t, std::size_t> best_at;
    for (std::size_t state = 1; state < tables_.states.size(); ++state) {
      expect_time(deadline, state);
      if (tables_.taken(state) > limits.devices) continue;
      for (std::size_t group = 0; group < tables_.groups.size(); ++group) {
        if (!tables_.states.holds(state, tables_.groups[group]) || !fill(state, group)) continue;
        groups_of_[state].push_back(static_cast<std::uint32_t>(group));
        const double whole =
            ways_of(state, group)[tables_.pieces].latency + prices_.least[tables_.pieces][group];
        if (whole < best && whole <= most_ && tables_.states.holds(state, tables_.required)) {
          best = whole;
          best_at = {state, group};
        }
      }
    }
    if (best == kInfinity) return std::nullopt;
    return trace(best_at.first, best_at.second);
  }

 private:
  std::vector<Way>& ways_of(std::size_t state, std::size_t group) {
    return ways_[state * tables_.groups.size() + group];
  }

  // The ways that end with a stage of `group` with which the devices of `state` are taken; false if none is
  // short enough.
  bool fill(std::size_t state, std::size_t group) {
    for (std::size_t wire = 0; wire < allowed_.ends[group].size(); ++wire) {
      if (find_starts(state, group, wire)) fill_from_starts(state, group, allowed_.ends[group][wire]);
    }
    return !ways_of(state, group).empty();
  }

  void fill_from_starts(std::size_t state, std::size_t group, const std::vector<CutSet>& ends_of) {
    const double most = most_ + prices_.free_price[state];
    std::vector<Way>& ways = ways_of(state, group);
    for (std::size_t cut = 0; cut < tables_.pieces; ++cut) {
      const Way start = starts_[cut];
      if (!(start.latency + prices_.rest[cut][group] <= most)) continue;
      const CutSet& ends = ends_of[cut];
      for (std::size_t end = cut + 1; end <= tables_.pieces; ++end) {
        const double latency = start.latency + tables_.stage_seconds(group, cut, end);
        if (!ends.has(end) || !(latency + prices_.least[end][group] <= most)) continue;
        if (ways.empty()) ways.resize(tables_.pieces + 1);
        if (latency < ways[end].latency) ways[end] = {latency, start.from, static_cast<std::uint32_t>(cut)};
      }
    }
  }

  // The best ways to where such a stage may begin, the hop into it in `wire` included.
  bool find_starts(std::size_t state, std::size_t group, std::size_t wire) {
    const std::size_t before = state - tables_.groups[group].state;
    std::fill(starts_.begin(), starts_.end(), Way{});
    if (before == 0) {
      const bool begins = allowed_.begins[tables_.beginning(group, wire)];
      if (begins) starts_[0] = {tables_.request_seconds(group, wire), static_cast<std::uint32_t>(wire), 0};
      return begins;
    }
    bool found = false;
    for (const std::uint32_t from : groups_of_[before]) {
      if (tables_.groups[from].wire != wire) continue;
      found = true;
      const HopCuts& cuts = tables_.cuts_after(allowed_, before, from, group);
      const std::vector<Way>& ways = ways_of(before, from);
      for (std::size_t cut = 1; cut < tables_.pieces; ++cut) {
        if (ways[cut].latency == kInfinity || !cuts.has(cut)) continue;
        const double latency = ways[cut].latency + tables_.hop_seconds(from, group, cut);
        if (latency < starts_[cut].latency) starts_[cut] = {latency, from, 0};
      }
    }
    return found;
  }

  Placement trace(std::size_t state, std::size_t group) {
    std::vector<std::pair<std::size_t, std::size_t>> stages;
    for (std::size_t end = tables_.pieces; end > 0;) {
      const Way& way = ways_of(state, group)[end];
      stages.emplace_back(group, way.cut);
      state -= tables_.groups[group].state;
      group = way.from;
      end = way.cut;
    }
    return tables_.placement_of(stages, group);
  }

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  const DevicePrices& prices_;
  double most_;
  std::vector<std::vector<Way>> ways_;                 // [state and group][end]
  std::vector<std::vector<std::uint32_t>> groups_of_;  // by state: those with a way
  std::vector<Way> starts_;                            // by cut, of the state and group in hand
};

}  // namespace

std::optional<Placement> least_latency_pipeline(const PipelineTables& tables, const PeriodTables& allowed,
                                                const PipelineLimits& limits, const Deadline& deadline) {
  const DevicePrices prices = find_device_prices(tables, allowed, limits.latency);
  if (!std::isfinite(prices.bound) || prices.bound > limits.latency) return std::nullopt;
  // The latency looked for grows until there is a pipeline: the closer it is, the fewer ways there are.
  for (const double margin : {1.001, 1.01, 1.05, 1.2, 2.0, kInfinity}) {
    const double most =
        std::isfinite(margin) ? std::min(limits.latency, prices.bound * margin) : limits.latency;
    auto found = Search(tables, allowed, prices, most).run(limits, deadline);
    if (found || most == limits.latency) return found;
  }
  return std::nullopt;
}

}  // namespace lamina
