#include "plan/least_latency.h"

#include "base/error.h"
#include "plan/completion_bound.h"
#include "plan/memory_prices.h"
#include "plan/neighbourhoods.h"
#include "plan/problem_check.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr int kPriceRounds = 300;
constexpr std::size_t kPartRounds = 300;
constexpr std::size_t kNarrowest = 16;  // partial placements followed from each cut
constexpr std::size_t kWidening = 4;
// Where prices lead the search into want of memory, these times the prices make it save more.
constexpr double kThriftier[] = {3, 10, 100};
// Prices with ever more levels: the steps of one program, and how many programs.
constexpr struct {
  double steps;
  int rounds;
} kWithLevels[] = {{5e6, 100}, {1e8, 12}};

class TightSearch {
 public:
  TightSearch(const PlacementProblem& problem, const PlannerOptions& options, double lower_bound)
      : problem_(problem),
        options_(options),
        deadline_(options.time_limit),
        costs_(problem),
        lower_bound_(lower_bound) {}

  PlannedPlacement run() {
    const std::vector<double> prices = find_first();
    if (!complete_) {
      if (best_) {
        best_ = improve_by_parts(problem_, std::move(*best_), prices, kPartRounds,
                                 Deadline(deadline_.left() / 2));
      }
      search_with_levels(prices);
    }
    if (!best_) {
      if (complete_) fail_for_memory(problem_);
      fail(ErrorCode::resource_exhausted,
           "no placement was found within {} partial ones; none may fit the memory of the devices", labels_);
    }
    if (complete_) lower_bound_ = best_->latency;
    const bool proven = best_->latency <= lower_bound_;
    return {std::move(*best_), lower_bound_, proven, labels_};
  }

 private:
  double known() const { return best_ ? best_->latency : std::numeric_limits<double>::infinity(); }

  void raise(StageBound& bound, const std::vector<double>& prices, int rounds) {
    raise_memory_prices(bound, costs_, prices, known(), rounds, Deadline(deadline_.left() / 3));
    lower_bound_ = std::max(lower_bound_, std::min(bound.lower_bound(), known()));
    if (bound.lower_bound() >= known()) complete_ = true;
  }

  void follow(const StageBound& bound, std::size_t width) {
    StageSearchResult result = search_stages(costs_, bound, {width, options_.max_labels, known()}, deadline_);
    labels_ += result.labels;
    complete_ = result.complete;
    if (result.placement) best_ = std::move(result.placement);
  }

  // Follows ever more partial placements, as long as max_labels of them would do for all cuts.
  void widen(const StageBound& bound, std::size_t width) {
    for (; width * problem_.pieces.size() <= options_.max_labels; width *= kWidening) {
      if (complete_ || deadline_.passed()) return;
      follow(bound, width);
    }
  }

  void search_with_levels(std::vector<double> prices) {
    std::optional<StageBound> bound;
    for (const auto& [steps, rounds] : kWithLevels) {
      bound.emplace(costs_, MemoryLevels(costs_, worth_remembering(prices, steps)));
      raise(*bound, prices, rounds);
      prices = bound->prices();
    }
    widen(*bound, kNarrowest);
    if (!complete_) follow(*bound, options_.max_labels);
  }

  // Prices, and a placement if one is found without much ado.
  std::vector<double> find_first() {
    StageBound bound(costs_, MemoryLevels(costs_, {}));
    const std::vector<double> nothing(costs_.kinds(), 0);
    bound.solve(nothing);
    follow(bound, kNarrowest);  // all that a small problem needs
    if (complete_) return nothing;
    raise(bound, nothing, kPriceRounds);
    std::vector<double> prices = bound.prices();
    if (!complete_) follow(bound, kNarrowest);
    for (const double times : kThriftier) {
      if (best_ || complete_) break;
      std::vector<double> thrifty = prices;
      for (double& price : thrifty) price *= times;
      bound.solve(thrifty);
      follow(bound, kNarrowest);
    }
    if (best_) {
      bound.solve(prices);
      widen(bound, kNarrowest * kWidening);
    }
    return prices;
  }

  // The kinds whose memory is worth most, as many as the time for a program with their levels allows.
  std::vector<std::size_t> worth_remembering(const std::vector<double>& prices, double most_steps) const {
    std::vector<std::size_t> kinds(costs_.kinds());
    std::iota(kinds.begin(), kinds.end(), std::size_t{0});
    std::erase_if(kinds, [&](std::size_t kind) { return prices[kind] == 0; });
    std::stable_sort(kinds.begin(), kinds.end(), [&](std::size_t a, std::size_t b) {
      return prices[a] * costs_.pool(a) > prices[b] * costs_.pool(b);
    });
    double steps = static_cast<double>(problem_.pieces.size() * costs_.kinds() * costs_.kinds());
    std::size_t count = 0;
    for (; count < kinds.size(); ++count) {
      steps *= static_cast<double>(MemoryLevels::kLevels);
      if (steps > most_steps) break;
    }
    kinds.resize(count);
    return kinds;
  }

  const PlacementProblem& problem_;
  const PlannerOptions& options_;
  Deadline deadline_;
  StageCosts costs_;
  std::optional<Placement> best_;
  double lower_bound_;
  bool complete_ = false;  // whether best_ is proven, or that there is none
  std::size_t labels_ = 0;
};

}  // namespace

PlannedPlacement find_least_latency(const PlacementProblem& problem, const PlannerOptions& options) {
  expect_sound(problem);
  const CompletionBound roomy(problem);
  if (!std::isfinite(roomy.from_start())) fail_for_memory(problem);
  Placement fastest = evaluate(problem, roomy.fastest());
  if (is_feasible(problem, fastest)) {
    const double latency = fastest.latency;
    return {std::move(fastest), latency, true, problem.pieces.size() * problem.devices.size()};
  }
  return TightSearch(problem, options, roomy.from_start()).run();
}

}  // namespace lamina
