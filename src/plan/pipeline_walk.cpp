#include "plan/pipeline_walk.h"

#include "plan/shared_pipeline.h"

#include <algorithm>

namespace lamina {

namespace {

constexpr double kRounding = 1e-10;

}  // namespace

std::optional<Placement> PipelineWalk::first(const PipelineEnd& end) {
  std::optional<Placement> found;
  visit_ = [&](std::vector<PlacedStage> stages, std::size_t return_wire) {
    found = evaluate_stages(tables_.problem, std::move(stages), return_wire);
    return true;
  };
  effort_ = nullptr;
  return_wire_ = tables_.groups[end.group].wire;
  walk(end);
  return found;
}

bool PipelineWalk::all_within(double period, const PipelineEnd& end, WalkEffort& effort, Visit visit) {
  visit_ = std::move(visit);
  period_ = period;
  effort_ = &effort;
  return_wire_ = tables_.groups[end.group].wire;
  return walk(end);
}

bool PipelineWalk::walk(const PipelineEnd& end) {
  if (end.state == tables_.groups[end.group].state) return begin(end);
  for (const PipelineEnd& before : before_(end)) {
    stages_.emplace_back(end.group, before.cut);
    const bool enough = may_be_within(tables_.groups[before.group].wire) && walk(before);
    stages_.pop_back();
    if (enough) return true;
  }
  return false;
}

// With the stage that ends there as the first one.
bool PipelineWalk::begin(const PipelineEnd& end) {
  const std::vector<FrontEndHop>& requests = tables_.of_group[end.group].requests;
  std::vector<std::size_t> wires;
  for (std::size_t wire = 0; wire < requests.size(); ++wire) {
    if (allowed_.begins[tables_.beginning(end.group, wire)] &&
        allowed_.stages.ends[end.group][wire].front().has(end.cut))
      wires.push_back(wire);
  }
  std::stable_sort(wires.begin(), wires.end(),
                   [&](std::size_t a, std::size_t b) { return requests[a].*order_ < requests[b].*order_; });
  bool enough = false;
  stages_.emplace_back(end.group, 0);
  for (std::size_t i = 0; i < wires.size() && !enough; ++i)
    enough = may_be_within(wires[i]) && visit_(tables_.stages_of(stages_, wires[i]), return_wire_);
  stages_.pop_back();
  return enough;
}

bool PipelineWalk::may_be_within(std::size_t wire) {
  if (effort_ == nullptr) return true;
  if (effort_->looks == 0) {
    effort_->complete = false;
    return false;
  }
  --effort_->looks;
  expect_time(effort_->deadline, 0);
  const SharedPipeline last(tables_.problem, tables_.kinds, tables_.stages_of(stages_, wire), return_wire_);
  return last.period_bound() <= period_ * (1 + kRounding);
}

}  // namespace lamina
