#include "cluster/plan_choice.h"

#include "base/error.h"
#include "base/log.h"

#include <algorithm>
#include <utility>

namespace lamina {

PlanChoice::PlanChoice(FindPlan plan, FindStopgap stopgap)
    : plan_(std::move(plan)), stopgap_(std::move(stopgap)) {}

void PlanChoice::begin_with(const Conditions& conditions) { basis_ = {conditions, false}; }

Blueprint PlanChoice::after_loss(const Conditions& now, const Blueprint& lost) {
  // Machines that are all still there have lost no more than a connection, unless two of them no longer reach
  // each other.
  if (!lost.stages.empty() && std::ranges::includes(now.machines, machines_of(lost))) return lost;
  Blueprint next = soonest(now, lost);
  basis_.conditions = now;
  return next;
}

Blueprint PlanChoice::soonest(const Conditions& now, const Blueprint& lost) {
  basis_.stopgap = false;
  if (stopgap_ && !lost.stages.empty()) {
    if (std::optional<Blueprint> soonest = stopgap_(now, lost.name)) {
      basis_.stopgap = true;
      return std::move(*soonest);
    }
  }
  return plan_(now, "");
}

std::optional<PlanChoice::Improvement> PlanChoice::improve(const Conditions& now, const std::string& serving,
                                                           const std::function<bool()>& given_up) {
  if (now == basis_.conditions && !basis_.stopgap) return std::nullopt;
  before_ = std::exchange(basis_, {now, false});
  const std::string reason = now == before_.conditions ? "the last plan was the soonest to load"
                                                       : describe_change(before_.conditions, now);
  Blueprint best;
  try {
    planning_.emplace([this, now, serving] { return plan_(now, serving); });
    if (!planning_->wait_unless(given_up)) {
      take_back();
      return std::nullopt;
    }
    best = planning_->get();
  } catch (const Error& error) {
    spdlog::info("no other plan, though {}: {}", reason, error.what());
    return std::nullopt;
  }
  if (best.name == serving) return std::nullopt;
  if (now.machines == before_.conditions.machines && best.gain < kClearGain) {
    spdlog::info("the plan stays, though {}: another would save {:.0f} %", reason,
                 100 * std::max(best.gain, 0.0));
    return std::nullopt;
  }
  return Improvement{std::move(best), reason};
}

void PlanChoice::take_back() { basis_ = before_; }

}  // namespace lamina
