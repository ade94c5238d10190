#include "plan/conflict.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lamina {

namespace {

constexpr std::size_t kFewDemands = 12;

std::vector<std::size_t> indices_of(const std::vector<bool>& active) {
  std::vector<std::size_t> indices;
  for (std::size_t i = 0; i < active.size(); ++i) {
    if (active[i]) indices.push_back(i);
  }
  return indices;
}

// What may be left out of a request.
class Demanded {
 public:
  Demanded(const PlacementProblem& problem, const std::vector<std::vector<std::string>>& layers,
           const Constraints& constraints, const PlanningRequest& request, const std::vector<Hole>& holes)
      : problem_(problem), layers_(layers), constraints_(constraints), request_(request), holes_(holes) {
    texts_ = to_strings(constraints);
    if (std::isfinite(request.deadline)) {
      deadline_ = texts_.size();
      texts_.push_back("a latency of at most " + format_seconds(request.deadline));
    }
    if (std::isfinite(request.period)) {
      rate_ = texts_.size();
      texts_.push_back(fmt::format("at least {:.4g} requests/s", 1 / request.period));
    }
    memory_ = texts_.size();
    texts_.push_back("the memory of the machines");
    for (const Hole& hole : holes) texts_.push_back(hole.text);
  }

  const std::vector<std::string>& texts() const { return texts_; }

  bool is_possible(const std::vector<bool>& active) const {
    PlacementProblem problem = problem_;
    PlanningRequest request = request_;
    // Whether there is any placement; the fastest is the easiest to find.
    request.objective = Objective::latency;
    request.top = 1;
    try {
      for (std::size_t i = 0; i < holes_.size(); ++i) {
        if (!active[memory_ + 1 + i]) holes_[i].fill(problem);
      }
      const Constraints kept = keep_only(constraints_, active);
      apply_constraints(kept, layers_, problem);
      request.time_limits = time_limits(kept, problem);
      if (!request.time_limits.empty()) request.replicas = 1;
      if (deadline_ != kNone && !active[deadline_])
        request.deadline = std::numeric_limits<double>::infinity();
      if (rate_ != kNone && !active[rate_]) request.period = std::numeric_limits<double>::infinity();
      if (!active[memory_]) {
        for (PlanDevice& device : problem.devices)
          device.memory_budget = std::numeric_limits<std::uint64_t>::max() / 4;
      }
      find_placements(problem, request);
      return true;
    } catch (const Error& error) {
      if (error.code() == ErrorCode::deadline_exceeded) throw;
      return false;
    }
  }

 private:
  static constexpr std::size_t kNone = std::numeric_limits<std::size_t>::max();
  const PlacementProblem& problem_;
  const std::vector<std::vector<std::string>>& layers_;
  const Constraints& constraints_;
  const PlanningRequest& request_;
  const std::vector<Hole>& holes_;
  std::vector<std::string> texts_;
  std::size_t deadline_ = kNone;
  std::size_t rate_ = kNone;
  std::size_t memory_ = 0;  // the holes follow it
};

}  // namespace

std::vector<std::size_t> find_conflict(std::size_t count,
                                       const std::function<bool(const std::vector<bool>& active)>& possible) {
  if (count <= kFewDemands) {
    for (std::size_t size = 1; size <= count; ++size) {
      std::vector<bool> active(count, false);
      std::fill_n(active.begin(), size, true);
      do {
        if (!possible(active)) return indices_of(active);
      } while (std::prev_permutation(active.begin(), active.end()));
    }
    return {};
  }
  std::vector<bool> active(count, true);
  if (possible(active)) return {};
  for (std::size_t i = 0; i < count; ++i) {
    active[i] = false;
    if (possible(active)) active[i] = true;
  }
  return indices_of(active);
}

std::string explain_conflict(const PlacementProblem& problem,
                             const std::vector<std::vector<std::string>>& layers,
                             const Constraints& constraints, const PlanningRequest& request,
                             const std::vector<Hole>& holes) {
  // Many sets of demands are tried.
  PlanningRequest brief = request;
  brief.branch_time = request.branch_time / 10;
  const Demanded demanded(problem, layers, constraints, brief, holes);
  const std::size_t count = demanded.texts().size();
  if (!demanded.is_possible(std::vector<bool>(count, false))) return "";
  const std::vector<std::size_t> conflict =
      find_conflict(count, [&](const std::vector<bool>& active) { return demanded.is_possible(active); });
  std::string text;
  for (std::size_t i = 0; i < conflict.size(); ++i) {
    if (i > 0) text += i + 1 == conflict.size() ? " and " : ", ";
    text += demanded.texts()[conflict[i]];
  }
  if (text.empty()) return "";
  // A hole is no demand that could be met.
  if (conflict.back() >= count - holes.size())
    return (conflict.size() == 1 ? "what stands in the way is " : "what stands in the way together: ") + text;
  return conflict.size() == 1 ? "it is " + text + " alone that can't be met"
                              : "what can't be met together: " + text;
}

}  // namespace lamina
