#include "plan/device_prices.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Steps of all the dynamic programs together.
constexpr double kWork = 3e7;
constexpr double kFewestRounds = 4;
constexpr double kMostRounds = 60;
constexpr int kPatience = 4;  // rounds without a better bound until steps are halved
constexpr double kHopedForGap = 0.05;

struct Step {
  double cost = kInfinity;
  std::size_t group = 0;  // of the next stage
  std::size_t end = 0;    // and where it ends
};

struct Round {
  DevicePrices prices;
  std::vector<double> excess;  // devices of each kind that the cheapest way takes beyond those there are
};

class Program {
 public:
  Program(const PipelineTables& tables, const PeriodTables& allowed)
      : tables_(tables), allowed_(allowed), groups_(tables.groups.size()), pieces_(tables.pieces) {}

  Round run(std::vector<double> seconds) const {
    Round round;
    DevicePrices& prices = round.prices;
    std::vector<double> price(groups_, 0);
    for (std::size_t group = 0; group < groups_; ++group) {
      const auto& counts = tables_.groups[group].counts;
      price[group] = std::inner_product(seconds.begin(), seconds.end(), counts.begin(), 0.0);
    }
    std::vector<std::vector<Step>> steps(pieces_ + 1, std::vector<Step>(groups_));
    prices.least.assign(pieces_ + 1, std::vector<double>(groups_, kInfinity));
    prices.rest = prices.least;
    for (std::size_t group = 0; group < groups_; ++group) {
      if (allowed_.lasts[group]) prices.least[pieces_][group] = tables_.answer_seconds(group);
    }
    Step first;
    for (std::size_t cut = pieces_; cut-- > 0;) {
      for (std::size_t next = 0; next < groups_; ++next) {
        Step step = best_stage(prices.least, cut, next);
        prices.rest[cut][next] = step.cost;
        step.cost += price[next];
        if (step.cost == kInfinity) continue;
        if (cut == 0) {
          step.cost += allowed_.least_request[next];
          if (step.cost < first.cost) first = step;
          continue;
        }
        for (std::size_t group = 0; group < groups_; ++group) {
          const double cost = step.cost + tables_.hop_seconds(group, next, cut);
          if (cost >= prices.least[cut][group] || !may_follow(group, next, cut)) continue;
          prices.least[cut][group] = cost;
          steps[cut][group] = {cost, next, step.end};
        }
      }
    }
    round.excess = excess_of(first, steps);
    prices.bound = first.cost;
    for (std::size_t kind = 0; kind < seconds.size(); ++kind)
      prices.bound -= seconds[kind] * static_cast<double>(tables_.kinds.members[kind].size());
    prices.seconds = std::move(seconds);
    return round;
  }

 private:
  Step best_stage(const std::vector<std::vector<double>>& least, std::size_t first, std::size_t group) const {
    Step best;
    best.group = group;
    const CutSet& ends = allowed_.stages.ends_of_any[group][first];
    for (std::size_t end = first + 1; end <= pieces_; ++end) {
      if (!ends.has(end)) continue;
      const double cost = tables_.stage_seconds(allowed_.stages, group, first, end) + least[end][group];
      if (cost < best.cost) {
        best.cost = cost;
        best.end = end;
      }
    }
    return best;
  }

  bool may_follow(std::size_t group, std::size_t next, std::size_t cut) const {
    return tables_.fit_beside[group][next] &&
           (allowed_.cuts[group][next].has(cut) || allowed_.cuts_of_the_first[group][next].has(cut));
  }

  std::vector<double> excess_of(Step step, const std::vector<std::vector<Step>>& steps) const {
    std::vector<double> excess;
    for (const auto& members : tables_.kinds.members) excess.push_back(-static_cast<double>(members.size()));
    while (step.cost != kInfinity) {
      for (std::size_t kind = 0; kind < excess.size(); ++kind)
        excess[kind] += static_cast<double>(tables_.groups[step.group].counts[kind]);
      if (step.end == pieces_) break;
      step = steps[step.end][step.group];
    }
    return excess;
  }

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  std::size_t groups_;
  std::size_t pieces_;
};

std::vector<double> free_prices(const PipelineTables& tables, const std::vector<double>& seconds) {
  std::vector<double> prices(tables.states.size(), 0);
  for (std::size_t state = 0; state < prices.size(); ++state) {
    for (std::size_t kind = 0; kind < seconds.size(); ++kind) {
      const std::size_t free = tables.kinds.members[kind].size() - tables.states.count(state, kind);
      prices[state] += seconds[kind] * static_cast<double>(free);
    }
  }
  return prices;
}

}  // namespace

DevicePrices find_device_prices(const PipelineTables& tables, const PeriodTables& allowed, double hoped) {
  const Program program(tables, allowed);
  const std::size_t groups = tables.groups.size();
  const double work = static_cast<double>(tables.pieces * groups * (tables.pieces / 4 + 2 * groups));
  const int rounds = static_cast<int>(std::clamp(kWork / work, kFewestRounds, kMostRounds));
  Round best = program.run(std::vector<double>(tables.kinds.members.size(), 0));
  Round current = best;
  double scale = 1;
  int patience = kPatience;
  for (int round = 0; round < rounds && std::isfinite(best.prices.bound); ++round) {
    const double target = std::isfinite(hoped) ? hoped : best.prices.bound * (1 + kHopedForGap);
    // A free device of no price is no news.
    double square = 0;
    for (std::size_t kind = 0; kind < current.excess.size(); ++kind) {
      if (current.excess[kind] < 0 && current.prices.seconds[kind] == 0) current.excess[kind] = 0;
      square += current.excess[kind] * current.excess[kind];
    }
    if (square == 0 || current.prices.bound >= target) break;
    std::vector<double> seconds = current.prices.seconds;
    for (std::size_t kind = 0; kind < seconds.size(); ++kind) {
      const double step = scale * (target - current.prices.bound) / square * current.excess[kind];
      seconds[kind] = std::max(0.0, seconds[kind] + step);
    }
    current = program.run(std::move(seconds));
    if (current.prices.bound > best.prices.bound) {
      best = current;
      patience = kPatience;
    } else if (--patience == 0) {
      scale /= 2;
      patience = kPatience;
      current = best;
    }
  }
  best.prices.free_price = free_prices(tables, best.prices.seconds);
  return std::move(best.prices);
}

}  // namespace lamina
