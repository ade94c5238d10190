#include "plan/stopgap.h"

#include "plan/branch_cost.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <queue>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kMostTried = 500;

// One device for a stage, or two for its parts before and behind `split`.
struct Choice {
  double loaded = 0;  // seconds until all that these devices load is ready
  std::size_t first = 0;
  std::optional<std::size_t> second = {};
  std::size_t split = 0;  // a piece
};

// Those that are loaded soonest of many.
class SoonestChoices {
 public:
  void add(const Choice& choice) {
    if (!std::isfinite(choice.loaded)) return;
    if (kept_.size() == kMostTried && !is_sooner(choice, kept_.top())) return;
    kept_.push(choice);
    if (kept_.size() > kMostTried) kept_.pop();
  }
  // Soonest first.
  std::vector<Choice> take() {
    std::vector<Choice> choices;
    for (; !kept_.empty(); kept_.pop()) choices.push_back(kept_.top());
    std::reverse(choices.begin(), choices.end());
    return choices;
  }

 private:
  static bool is_sooner(const Choice& one, const Choice& other) { return one.loaded < other.loaded; }
  std::priority_queue<Choice, std::vector<Choice>, decltype(&is_sooner)> kept_{is_sooner};
};

class Search {
 public:
  Search(const PlacementProblem& problem, const Placement& ran,
         const std::function<bool(const Placement&)>& accepts)
      : problem_(problem),
        accepts_(accepts),
        stages_(ran.stages),
        return_wire_(ran.return_wire),
        loading_(problem.devices.size(), 0) {
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      if (!keep_what_is_left(stages_[i])) lost_.push_back(i);
    }
  }

  std::optional<Placement> find() {
    choices_.resize(lost_.size());
    return place(0);
  }

 private:
  // Whether some device still has the stage.
  bool keep_what_is_left(PlacedStage& stage) const {
    std::erase_if(stage.replicas, [&](const Replica& replica) {
      return !std::isfinite(seconds_on(problem_, stage, replica.device));
    });
    double shares = 0;
    for (const Replica& replica : stage.replicas) shares += replica.share;
    for (Replica& replica : stage.replicas) replica.share /= shares;
    return !stage.replicas.empty();
  }

  // Of the lost stage of that number, soonest loaded first, beside what is being loaded already.
  std::vector<Choice> choices_of(const PlacedStage& stage) const {
    const std::size_t devices = problem_.devices.size();
    // By device, seconds for the stage's pieces (or branches) before each and from each on. Not as
    // differences of one sum: what a device can't load takes infinitely long.
    std::vector<std::vector<double>> until(devices, {0});
    std::vector<std::vector<double>> from(devices, {0});
    for (std::size_t device = 0; device < devices; ++device) {
      const std::vector<const PieceCost*> costs = costs_of(problem_, stage, device);
      for (std::size_t i = 0; i < costs.size(); ++i) {
        until[device].push_back(until[device].back() + load_seconds(problem_, device, *costs[i]));
        const PieceCost& cost = *costs[costs.size() - 1 - i];
        from[device].push_back(from[device].back() + load_seconds(problem_, device, cost));
      }
      std::reverse(from[device].begin(), from[device].end());
    }
    SoonestChoices choices;
    for (std::size_t a = 0; a < devices; ++a) {
      choices.add({loading_[a] + until[a].back(), a});
      for (std::size_t b = 0; stage.branches.empty() && b < devices; ++b) {
        for (std::size_t pieces = 1; a != b && pieces + 1 < until[a].size(); ++pieces) {
          const double loaded = std::max(loading_[a] + until[a][pieces], loading_[b] + from[b][pieces]);
          choices.add({loaded, a, b, stage.first_piece + pieces});
        }
      }
    }
    return choices.take();
  }

  // Tries the choices of the lost stages from `number` on.
  std::optional<Placement> place(std::size_t number) {
    if (number == lost_.size()) return try_out();
    const PlacedStage& stage = stages_[lost_[number]];
    for (const Choice& choice : choices_of(stage)) {
      if (tried_ >= kMostTried) break;
      choices_[number] = choice;
      const std::vector<double> before = loading_;
      loading_[choice.first] = choice.loaded;
      if (choice.second) loading_[*choice.second] = choice.loaded;
      std::optional<Placement> found = place(number + 1);
      loading_ = before;
      if (found) return found;
    }
    return std::nullopt;
  }

  std::optional<Placement> try_out() {
    ++tried_;
    std::vector<PlacedStage> stages;
    std::size_t number = 0;
    for (std::size_t i = 0; i < stages_.size(); ++i) {
      stages.push_back(stages_[i]);
      if (number == lost_.size() || lost_[number] != i) continue;
      const Choice& choice = choices_[number++];
      stages.back().replicas = {{choice.first}};
      if (!choice.second) continue;
      PlacedStage& second = stages.emplace_back(stages_[i]);
      (&second)[-1].end_piece = second.first_piece = choice.split;
      second.replicas = {{*choice.second}};
      second.wire = problem_.wires.empty() ? std::nullopt : std::optional<std::size_t>(0);
    }
    Placement placement = evaluate_stages(problem_, std::move(stages), return_wire_);
    if (!is_feasible(problem_, placement) || !accepts_(placement)) return std::nullopt;
    return placement;
  }

  const PlacementProblem& problem_;
  const std::function<bool(const Placement&)>& accepts_;
  std::vector<PlacedStage> stages_;  // as they ran; of those that are lost none has a replica
  const std::size_t return_wire_;
  std::vector<std::size_t> lost_;  // which of the stages
  std::vector<Choice> choices_;    // for each of these
  std::vector<double> loading_;    // by device, seconds of what is chosen so far
  std::size_t tried_ = 0;
};

}  // namespace

std::optional<Placement> find_stopgap(const PlacementProblem& problem, const Placement& ran,
                                      const std::function<bool(const Placement&)>& accepts) {
  return Search(problem, ran, accepts).find();
}

}  // namespace lamina
