#include "plan/pipeline_search.h"

#include "base/error.h"
#include "plan/pipeline_latency.h"
#include "plan/pipeline_reach.h"
#include "plan/shared_pipeline.h"

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
// Looks at parts of pipelines with replicas (WalkEffort): in all, and for one division of the groups, which
// counts as so many at least.
constexpr std::size_t kMostLooks = 2'000;
constexpr std::size_t kLooksOfDivision = 1'000;
constexpr std::size_t kLeastLooks = 20;

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

FoundPipeline PipelineSearch::find_any(const PipelineLimits& limits, const Deadline& deadline) const {
  const PeriodStages stages = tables_.stages_within(limits.period, false);
  const auto relaxed = [&](const Allowed& first, const Allowed& last, WalkEffort& effort) {
    return reach_end(tables_, tables_.within(stages, first, last), limits, effort);
  };
  return branch(limits.period, deadline, relaxed, true);
}

FoundPipeline PipelineSearch::find_least_latency(const PipelineLimits& limits,
                                                 const Deadline& deadline) const {
  const PeriodStages stages = tables_.stages_within(limits.period, true);
  const auto relaxed = [&](const Allowed& first, const Allowed& last, WalkEffort& effort) {
    return least_latency_pipeline(tables_, tables_.within(stages, first, last), limits, effort);
  };
  return branch(limits.period, deadline, relaxed, false);
}

Placement PipelineSearch::even_out(const Placement& placement, double latency) const {
  const SharedPipeline pipeline(tables_.problem, tables_.kinds, placement.stages, placement.return_wire);
  return pipeline.even_out(latency);
}

// `relaxed` solves for groups to begin (and wires of their requests) and to end with, charging the source's
// link too little where there are several; its answer holds if it keeps the period all the same, else the
// groups are divided. With replicas it may also be that no shares that it met keep the period. `any`: the
// first pipeline will do; otherwise the one of least latency is wanted.
template <typename Relaxed>
FoundPipeline PipelineSearch::branch(double period, const Deadline& deadline, const Relaxed& relaxed,
                                     bool any) const {
  FoundPipeline best;
  const std::size_t groups = tables_.groups.size();
  const bool shared = tables_.replicas > 1;
  std::size_t looks = kMostLooks;
  std::vector<std::pair<Allowed, Allowed>> open = {
      {Allowed(tables_.beginning(groups, 0), true), Allowed(groups, true)}};
  while (!open.empty()) {
    auto [first, last] = std::move(open.back());
    open.pop_back();
    if (shared && looks == 0) {
      best.proven = false;
      break;
    }
    WalkEffort effort{deadline, std::min(looks, kLooksOfDivision)};
    const std::size_t before = effort.looks;
    const std::optional<Placement> found = relaxed(first, last, effort);
    looks -= std::min(looks, std::max(before - effort.looks, kLeastLooks));
    if (!found) {
      best.proven = best.proven && effort.complete;
      continue;
    }
    if (best.placement && found->latency >= best.placement->latency) continue;
    if (found->period <= period * (1 + kRounding)) {
      best.placement = found;
      if (any) return best;
      continue;
    }
    const bool by_first = std::count(first.begin(), first.end(), true) > 1;
    Allowed& divided = by_first ? first : last;
    const bool one_left = std::count(divided.begin(), divided.end(), true) <= 1;
    if (shared && one_left) {
      best.proven = false;
      continue;
    }
    if (one_left) {
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
