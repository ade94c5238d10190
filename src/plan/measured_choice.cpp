#include "plan/measured_choice.h"

#include <algorithm>
#include <tuple>

namespace lamina {

namespace {

// Less is better.
double measured_figure(const Plan& plan, Objective objective) {
  switch (objective) {
    case Objective::latency:
      return plan.measured->latency;
    case Objective::throughput:
      return plan.measured->period / joined_requests(plan);
    case Objective::memory:
    case Objective::devices:
      return 0;
  }
  return 0;
}

}  // namespace

bool keeps_demands(const Plan& plan, const PlanningRequest& request) {
  return plan.measured && plan.measured->latency <= request.deadline &&
         plan.measured->period / joined_requests(plan) <= request.period;
}

void order_by_measurement(std::vector<Plan>& plans, const PlanningRequest& request) {
  const auto rank = [&](const Plan& plan) {
    const double figure = plan.measured ? measured_figure(plan, request.objective) : 0;
    return std::tuple(!plan.measured, !keeps_demands(plan, request), figure);
  };
  std::stable_sort(plans.begin(), plans.end(),
                   [&](const Plan& a, const Plan& b) { return rank(a) < rank(b); });
}

}  // namespace lamina
