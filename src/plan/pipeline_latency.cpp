#include "plan/pipeline_latency.h"

#include "plan/device_prices.h"
#include "plan/shared_pipeline.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

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

  std::optional<Placement> run(const PipelineLimits& limits, WalkEffort& effort) {
    std::vector<PipelineEnd> ends;
    for (std::size_t state = 1; state < tables_.states.size(); ++state) {
      expect_time(effort.deadline, state);
      if (tables_.taken(state) > limits.devices) continue;
      for (std::size_t group = 0; group < tables_.groups.size(); ++group) {
        if (!tables_.states.holds(state, tables_.groups[group]) || !fill(state, group)) continue;
        groups_of_[state].push_back(static_cast<std::uint32_t>(group));
        const double back = prices_.least[tables_.pieces][group];
        const double whole = ways_of(state, group)[tables_.pieces] + back;
        if (whole <= most_ && tables_.states.holds(state, tables_.required))
          ends.push_back({state, group, tables_.pieces, back, whole});
      }
    }
    sort(ends);
    if (ends.empty()) return std::nullopt;
    return tables_.replicas == 1 ? walk().first(ends.front()) : best_of(ends, limits.period, effort);
  }

 private:
  std::vector<double>& ways_of(std::size_t state, std::size_t group) {
    return ways_[state * tables_.groups.size() + group];
  }

  // The ways that end with a stage of `group` with which the devices of `state` are taken; false if none is
  // short enough.
  bool fill(std::size_t state, std::size_t group) {
    for (std::size_t wire = 0; wire < allowed_.stages.ends[group].size(); ++wire) {
      if (find_starts(state, group, wire)) fill_from_starts(state, group, allowed_.stages.ends[group][wire]);
    }
    return !ways_of(state, group).empty();
  }

  void fill_from_starts(std::size_t state, std::size_t group, const std::vector<CutSet>& ends_of) {
    const double most = most_ + prices_.free_price[state];
    std::vector<double>& ways = ways_of(state, group);
    for (std::size_t cut = 0; cut < tables_.pieces; ++cut) {
      const double start = starts_[cut];
      if (!(start + prices_.rest[cut][group] <= most)) continue;
      const CutSet& ends = ends_of[cut];
      for (std::size_t end = cut + 1; end <= tables_.pieces; ++end) {
        if (!ends.has(end)) continue;
        const double latency = start + tables_.stage_seconds(allowed_.stages, group, cut, end);
        if (!(latency + prices_.least[end][group] <= most)) continue;
        if (ways.empty()) ways.resize(tables_.pieces + 1, kInfinity);
        ways[end] = std::min(ways[end], latency);
      }
    }
  }

  // The least latencies to where such a stage may begin, the hop into it in `wire` included.
  bool find_starts(std::size_t state, std::size_t group, std::size_t wire) {
    const std::size_t before = state - tables_.groups[group].state;
    std::fill(starts_.begin(), starts_.end(), kInfinity);
    if (before == 0) {
      const bool begins = allowed_.begins[tables_.beginning(group, wire)];
      if (begins) starts_[0] = tables_.request_seconds(group, wire);
      return begins;
    }
    bool found = false;
    for (const std::uint32_t from : groups_of_[before]) {
      if (tables_.groups[from].wire != wire) continue;
      found = true;
      const HopCuts& cuts = tables_.cuts_after(allowed_, before, from, group);
      const std::vector<double>& ways = ways_of(before, from);
      for (std::size_t cut = 1; cut < tables_.pieces; ++cut) {
        if (ways[cut] == kInfinity || !cuts.has(cut)) continue;
        starts_[cut] = std::min(starts_[cut], ways[cut] + tables_.hop_seconds(from, group, cut));
      }
    }
    return found;
  }

  static void sort(std::vector<PipelineEnd>& ends) {
    std::stable_sort(ends.begin(), ends.end(),
                     [](const PipelineEnd& a, const PipelineEnd& b) { return a.latency < b.latency; });
  }

  // Of the stage before the one that ends there: by the least latency of pipelines through them.
  std::vector<PipelineEnd> ends_before(const PipelineEnd& end) {
    std::vector<PipelineEnd> before;
    const std::size_t state = end.state - tables_.groups[end.group].state;
    for (const std::uint32_t from : groups_of_[state]) {
      const HopCuts& cuts = tables_.cuts_after(allowed_, state, from, end.group);
      const std::vector<CutSet>& ends = allowed_.stages.ends[end.group][tables_.groups[from].wire];
      const std::vector<double>& ways = ways_of(state, from);
      for (std::size_t cut = 1; cut < end.cut; ++cut) {
        if (ways[cut] == kInfinity || !cuts.has(cut) || !ends[cut].has(end.cut)) continue;
        const double after = tables_.hop_seconds(from, end.group, cut) +
                             tables_.stage_seconds(allowed_.stages, end.group, cut, end.cut) + end.after;
        if (ways[cut] + after < beyond_) before.push_back({state, from, cut, after, ways[cut] + after});
      }
    }
    sort(before);
    return before;
  }

  PipelineWalk walk() {
    return {tables_, allowed_, &FrontEndHop::seconds,
            [this](const PipelineEnd& end) { return ends_before(end); }};
  }

  // The best whose shares keep the period.
  std::optional<Placement> best_of(const std::vector<PipelineEnd>& ends, double period, WalkEffort& effort) {
    std::optional<Placement> best;
    beyond_ = std::nextafter(most_, kInfinity);
    const auto visit = [&](std::vector<PlacedStage> stages, std::size_t return_wire) {
      const SharedPipeline pipeline(tables_.problem, tables_.kinds, std::move(stages), return_wire);
      if (!(pipeline.latency_bound(period) < beyond_)) return false;
      auto placement = pipeline.least_latency(period, effort.looks);
      if (placement && placement->latency < beyond_) {
        beyond_ = placement->latency;
        best = std::move(placement);
      } else {
        effort.complete = false;
      }
      return false;
    };
    for (const PipelineEnd& end : ends) {
      if (end.latency < beyond_) walk().all_within(period, end, effort, visit);
    }
    return best;
  }

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  const DevicePrices& prices_;
  double most_;
  std::vector<std::vector<double>> ways_;              // [state and group][end]: the least latency
  std::vector<std::vector<std::uint32_t>> groups_of_;  // by state: those with a way
  std::vector<double> starts_;                         // by cut, of the state and group in hand
  double beyond_ = kInfinity;                          // longer ways are of no use
};

}  // namespace

std::optional<Placement> least_latency_pipeline(const PipelineTables& tables, const PeriodTables& allowed,
                                                const PipelineLimits& limits, WalkEffort& effort) {
  const DevicePrices prices = find_device_prices(tables, allowed, limits.latency);
  if (!std::isfinite(prices.bound) || prices.bound > limits.latency) return std::nullopt;
  // The latency looked for grows until there is a pipeline: the closer it is, the fewer ways there are.
  for (const double margin : {1.001, 1.01, 1.05, 1.2, 2.0, kInfinity}) {
    const double most =
        std::isfinite(margin) ? std::min(limits.latency, prices.bound * margin) : limits.latency;
    auto found = Search(tables, allowed, prices, most).run(limits, effort);
    if (found || most == limits.latency) return found;
  }
  return std::nullopt;
}

}  // namespace lamina
