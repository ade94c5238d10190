#include "plan/least_latency.h"

#include "base/error.h"
#include "plan/best_prices.h"
#include "plan/completion_bound.h"
#include "plan/neighbourhoods.h"
#include "plan/problem_check.h"
#include "plan/stage_dive.h"
#include "plan/stage_proof.h"
#include "plan/stage_search.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr PriceLimits kPriceLimits = {800, 0.0003};
constexpr PriceLimits kFirstPriceLimits = {80, 0.01};
constexpr std::size_t kNarrowest = 16;  // partial placements followed from each cut
constexpr std::size_t kWidening = 4;
constexpr std::size_t kWidest = 256;  // before branch and bound takes over
// Where prices lead the search into want of memory, these times the prices make it save more.
constexpr double kThriftier[] = {3, 10, 100};
constexpr double kHopedFor = 1.1;  // times the bound, where nothing is known
// Beyond so many that may be worth it, proofs take too long: there is time for better placements alone, of
// the most promising of them.
constexpr std::size_t kMostToPrice = 200'000;

class TightSearch {
 public:
  TightSearch(const PlacementProblem& problem, const PlannerOptions& options, double lower_bound)
      : problem_(problem),
        options_(options),
        deadline_(options.time_limit),
        costs_(problem),
        everything_(costs_),
        bundle_(std::vector<double>(MemoryPrices(costs_).size(), 0)),
        lower_bound_(lower_bound) {}

  PlannedPlacement run() {
    find_first();
    if (!complete_) prove();
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

  void raise(StageBound& bound, PriceLimits limits) {
    limits.known = known();
    const auto raise = bound.graph().is_listed() ? raise_prices : raise_prices_partly;
    raise(bound, bundle_, limits, Deadline(deadline_.left() / 5));
    lower_bound_ = std::max(lower_bound_, std::min(bound.lower_bound(), known()));
    if (bound.lower_bound() >= known()) complete_ = true;
  }

  void follow(const StageBound& bound, std::size_t width) {
    StageSearchResult result = search_stages(bound, {width, options_.max_labels, known()}, deadline_);
    labels_ += result.labels;
    complete_ = result.complete;
    if (result.placement) best_ = std::move(result.placement);
  }

  // Prices, and a placement if one is found without much ado.
  void find_first() {
    StageBound bound(everything_);
    bound.solve(bundle_.prices());
    follow(bound, kNarrowest);  // all that a small problem needs
    if (complete_) return;
    raise(bound, kFirstPriceLimits);
    if (!complete_) follow(bound, kNarrowest);
    for (const double times : kThriftier) {
      if (best_ || complete_) break;
      std::vector<double> thrifty = bundle_.prices();
      for (double& price : thrifty) price *= times;
      bound.solve(thrifty);
      follow(bound, kNarrowest);
    }
    if (best_ && !complete_) {
      bound.solve(bundle_.prices());
      follow(bound, kNarrowest * kWidening);
    }
  }

  // Lists the stages that are worth it with the best prices, and searches their graph, ever wider, then for
  // better placements, then by branch and bound.
  void prove() {
    StageBound bound(everything_);
    raise(bound, kPriceLimits);
    if (complete_) return;
    std::optional<StageGraph> graph = bound.without_hopeless(known(), kMostToPrice);
    if (!graph) {
      improve_many(bound, Deadline(deadline_.left() / 2));
      graph = bound.without_hopeless(known(), kMostToPrice);
      if (!graph) return improve_many(bound, deadline_);
    }
    StageBound narrowed(*graph);
    raise(narrowed, kPriceLimits);
    if (!complete_) widen(narrowed);
    if (complete_) return;
    improve(*graph, {}, Deadline(deadline_.left() / 3));
    split(narrowed);
  }

  void improve_many(const StageBound& bound, const Deadline& deadline) {
    const double hoped_for = std::min(known(), bound.lower_bound() * kHopedFor);
    PartLimits limits;
    limits.rounds = std::numeric_limits<std::size_t>::max();
    limits.most_freed = 0.5;
    limits.slower_at_first = 0;
    limits.dives.price_rounds = 20;
    limits.dives.most_stages = 10'000;
    improve(bound.most_promising(hoped_for - bound.lower_bound(), kMostToPrice), limits, deadline);
  }

  // Rounds the mix of chains that the prices lead to, of the whole and then of parts.
  void improve(const StageGraph& graph, const PartLimits& limits, const Deadline& deadline) {
    StageDive whole = dive(graph, bundle_, known(), limits.dives, deadline);
    labels_ += whole.labels;
    if (whole.placement) best_ = std::move(whole.placement);
    if (best_) best_ = improve_by_parts(graph, bundle_, std::move(*best_), limits, deadline);
  }

  // The bound is solved with the bundle's prices.
  void split(const StageBound& bound) {
    const StageGraph graph = *bound.without_hopeless(known(), kMostToPrice);
    StageProof proof = prove_best(graph, bundle_, known(), {.max_labels = options_.max_labels}, deadline_);
    labels_ += proof.labels;
    complete_ = proof.complete;
    lower_bound_ = std::max(lower_bound_, proof.lower_bound);
    if (proof.placement) best_ = std::move(proof.placement);
  }

  // Follows ever more partial placements, as long as max_labels of them would do for all cuts.
  void widen(const StageBound& bound) {
    for (std::size_t width = kNarrowest * kWidening; width <= kWidest; width *= kWidening) {
      if (complete_ || deadline_.passed() || width * problem_.pieces.size() > options_.max_labels) return;
      follow(bound, width);
    }
  }

  const PlacementProblem& problem_;
  const PlannerOptions& options_;
  Deadline deadline_;
  StageCosts costs_;
  StageGraph everything_;
  BundleMethod bundle_;
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
