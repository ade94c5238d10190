#include "plan/shared_pipeline.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace lamina {

namespace {

constexpr int kMostSteps = 40;
constexpr double kFirstStep = 0.5;  // of a share
constexpr double kLeastStep = 1e-5;
constexpr double kLeastGain = 1e-7;
constexpr double kRounding = 1e-10;
constexpr std::size_t kMostBoxes = 300;
constexpr double kLeastBox = 1e-7;
constexpr int kRoundsOfEvening = 3;

}  // namespace

SharedPipeline::SharedPipeline(const PlacementProblem& problem, const DeviceKinds& kinds,
                               std::vector<PlacedStage> stages, std::size_t return_wire)
    : problem_(problem),
      kinds_(kinds),
      stages_(std::move(stages)),
      return_wire_(return_wire),
      loads_(share_loads_of(problem, kinds, stages_, return_wire)) {}

double SharedPipeline::period_bound() const { return route(loads_, {}).least; }

double SharedPipeline::latency_bound(double period) const {
  return route(loads_, {period}).least * (1 - kRounding);
}

SharedPipeline::Within SharedPipeline::find_within(double period, std::size_t& looks) const {
  Within within;
  const auto shares = shares_within(period, looks, within.proven);
  if (shares) within.placement = place(*shares);
  return within;
}

std::optional<Placement> SharedPipeline::least_latency(double period, std::size_t& looks) const {
  const ShareGoal goal{period};
  const RoutedShares routed = route(loads_, goal);
  if (routed.shares.empty()) return std::nullopt;
  if (routed.exact) return place(routed.shares);
  bool proven = true;
  std::optional<std::vector<double>> shares = routed.shares;
  if (longest_of(loads_, *shares) > period * (1 + kRounding)) shares = shares_within(period, looks, proven);
  if (!shares) return std::nullopt;
  return place(improve(std::move(*shares), goal));
}

std::optional<std::vector<double>> SharedPipeline::shares_within(double period, std::size_t& looks,
                                                                 bool& proven) const {
  std::vector<ShareBox> open = {whole_box(loads_)};
  std::size_t left = std::min(looks, kMostBoxes);
  for (bool first = true; !open.empty(); first = false) {
    if (left == 0) {
      proven = false;
      return std::nullopt;
    }
    --left;
    --looks;
    const ShareBox box = std::move(open.back());
    open.pop_back();
    RoutedShares routed = route(loads_, {}, first ? nullptr : &box);
    if (routed.least > period * (1 + kRounding)) continue;
    if (routed.shares.empty()) {
      proven = false;
      continue;
    }
    // Elsewhere than at first the steps would lead to where they led before.
    if (!routed.exact && first) routed.shares = improve(std::move(routed.shares), {});
    if (longest_of(loads_, routed.shares) <= period * (1 + kRounding))
      return routed.exact || first ? routed.shares : improve(std::move(routed.shares), {});
    const double width = box.most[routed.furthest] - box.least[routed.furthest];
    if (routed.exact || width < kLeastBox) {
      proven = false;
      continue;
    }
    const double middle = std::clamp(routed.shares[routed.furthest], box.least[routed.furthest] + width / 4,
                                     box.most[routed.furthest] - width / 4);
    for (const bool upper : {false, true}) {
      ShareBox part = box;
      (upper ? part.least : part.most)[routed.furthest] = middle;
      open.push_back(std::move(part));
    }
  }
  return std::nullopt;
}

// Towards the goal from shares that keep its period, by steps that shrink where they do not help.
std::vector<double> SharedPipeline::improve(std::vector<double> shares, const ShareGoal& goal) const {
  const auto figure = [&](const std::vector<double>& of) {
    return goal.within ? value_of(loads_.latency, of) : longest_of(loads_, of);
  };
  double best = figure(shares);
  double step = kFirstStep;
  for (int i = 0; i < kMostSteps && step > kLeastStep; ++i) {
    std::vector<double> next = step_from(loads_, shares, step, goal);
    if (next.empty()) break;
    const double reached = figure(next);
    const bool is_within = !goal.within || longest_of(loads_, next) <= *goal.within * (1 + kRounding);
    if (is_within && reached < best * (1 - kLeastGain)) {
      best = reached;
      shares = std::move(next);
    } else {
      step /= 4;
    }
  }
  return shares;
}

Placement SharedPipeline::even_out(double latency) const {
  std::vector<double> shares(loads_.parties.size(), 0);
  for (std::size_t i = 0; i < shares.size(); ++i) {
    for (const Replica& replica : stages_[loads_.parties[i].stage].replicas) {
      if (replica.device == loads_.parties[i].device) shares[i] = replica.share * loads_.parties[i].devices;
    }
  }
  const double period = longest_of(loads_, shares);
  for (int round = 0; round < kRoundsOfEvening; ++round) {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      std::vector<double> evened = even_out_stage(shares, stage);
      if (longest_of(loads_, evened) <= period * (1 + kRounding) &&
          value_of(loads_.latency, evened) <= latency)
        shares = std::move(evened);
    }
  }
  return place(shares);
}

std::vector<double> SharedPipeline::even_out_stage(std::vector<double> shares, std::size_t stage) const {
  std::vector<double> busy(shares.size(), 0);  // seconds if all requests came here
  for (const ShareLoad& load : loads_.loads) {
    if (!load.party || loads_.parties[*load.party].stage != stage) continue;
    const double seconds = value_of(load.seconds, shares) / shares[*load.party];
    busy[*load.party] = std::max(busy[*load.party], seconds);
  }
  double speeds = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (loads_.parties[i].stage == stage) speeds += 1 / busy[i];
  }
  if (!std::isfinite(speeds)) return shares;
  double sum = 0;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (loads_.parties[i].stage != stage) continue;
    shares[i] = std::max(loads_.parties[i].least, 1 / busy[i] / speeds);
    sum += shares[i];
  }
  for (std::size_t i = 0; i < shares.size(); ++i) {
    if (loads_.parties[i].stage == stage) shares[i] /= sum;
  }
  return shares;
}

Placement SharedPipeline::place(const std::vector<double>& shares) const {
  std::vector<PlacedStage> stages = stages_;
  for (std::size_t i = 0; i < shares.size(); ++i) {
    const ShareParty& party = loads_.parties[i];
    for (Replica& replica : stages[party.stage].replicas) {
      if (kinds_.kind_of[replica.device] == kinds_.kind_of[party.device])
        replica.share = shares[i] / party.devices;
    }
  }
  return evaluate_stages(problem_, std::move(stages), return_wire_);
}

}  // namespace lamina
