#include "plan/pipeline_search.h"

#include "base/error.h"
#include "plan/pipeline_latency.h"
#include "plan/pipeline_reach.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lamina {

namespace {

// Bounds of what the tables may take.
constexpr double kMostStates = 70'000;
constexpr double kMostWords = 16e6;
// Sums over pieces are differences of longer sums in the tables.
constexpr double kRounding = 1e-10;

}  // namespace

PipelineSearch::PipelineSearch(const PlacementProblem& problem, std::size_t replicas)
    : tables_(problem, replicas) {}

bool PipelineSearch::is_small_enough(const PlacementProblem& problem) {
  double states = 1;
  const DeviceKinds kinds = find_kinds(problem);
  for (const auto& members : kinds.members) states *= static_cast<double>(members.size() + 1);
  const double cells = states * static_cast<double>(kinds.members.size() * wire_count(problem));
  return states <= kMostStates && cells * static_cast<double>(problem.pieces.size() / 64 + 1) <= kMostWords;
}

std::optional<Placement> PipelineSearch::find_any(const PipelineLimits& limits,
                                                  const Deadline& deadline) const {
  const auto relaxed = [&](const Allowed& first, const Allowed& last) {
    return reach_end(tables_, tables_.within(limits.period, first, last), limits, deadline);
  };
  return branch(limits.period, relaxed, true);
}

std::optional<Placement> PipelineSearch::find_least_latency(const PipelineLimits& limits,
                                                            const Deadline& deadline) const {
  const auto relaxed = [&](const Allowed& first, const Allowed& last) {
    return least_latency_pipeline(tables_, tables_.within(limits.period, first, last), limits, deadline);
  };
  return branch(limits.period, relaxed, false);
}

// `relaxed` solves for groups to begin (and wires of their requests) and to end with, charging the source's
// link too little where there are several; its answer holds if it keeps the period all the same, else the
// groups are divided. `any`: the first pipeline will do; otherwise the one of least latency is wanted.
template <typename Relaxed>
std::optional<Placement> PipelineSearch::branch(double period, const Relaxed& relaxed, bool any) const {
  std::optional<Placement> best;
  const std::size_t groups = tables_.groups.size();
  std::vector<std::pair<Allowed, Allowed>> open = {
      {Allowed(tables_.beginning(groups, 0), true), Allowed(groups, true)}};
  while (!open.empty()) {
    auto [first, last] = std::move(open.back());
    open.pop_back();
    const std::optional<Placement> found = relaxed(first, last);
    if (!found || (best && found->latency >= best->latency)) continue;
    if (found->period <= period * (1 + kRounding)) {
      if (any) return found;
      best = found;
      continue;
    }
    const bool by_first = std::count(first.begin(), first.end(), true) > 1;
    Allowed& divided = by_first ? first : last;
    if (std::count(divided.begin(), divided.end(), true) <= 1) {
      fail(ErrorCode::internal, "a pipeline of period {} s where {} s was asked for", found->period, period);
    }
    const bool one_stage = found->stages.size() == 1;
    const std::size_t wire = by_first && !one_stage ? *found->stages[1].wire : found->return_wire;
    const PlacedStage& stage = by_first ? found->stages.front() : found->stages.back();
    const std::size_t group = tables_.group_of(stage, wire);
    const std::size_t taken = by_first ? tables_.beginning(group, *stage.wire) : group;
    Allowed alone(divided.size(), false);
    alone[taken] = true;
    Allowed others = divided;
    others[taken] = false;
    for (const Allowed& part : {others, alone}) {
      open.push_back(by_first ? std::pair(part, last) : std::pair(first, part));
    }
  }
  return best;
}

}  // namespace lamina
