#include "plan/machine_prices.h"

#include "plan/bundle_method.h"
#include "plan/cheapest_chain.h"
#include "plan/work_bound.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <utility>

namespace lamina {

namespace {

constexpr double kCloseEnough = 1e-3;
constexpr double kRounding = 1e-9;
constexpr double kFirstStep = 0.1;
constexpr double kShortest = 1e-9;  // seconds, of the first step
// Longer periods than so many times the least that might be possible limit nothing.
constexpr double kBeyond = 1e6;
constexpr int kRounds = 50;
constexpr double kLittle = 0.02;  // of what is missing to a proof: a promise not worth a round
constexpr double kFine = 2;
constexpr double kUnlimited = std::numeric_limits<double>::infinity();

// The cheapest chain, less a fine where prices come to more than 1 in all. That is concave in the prices and
// highest where they come to 1, if the fine is more than the chain costs there.
struct Tried {
  double value = 0;
  TangentPlane plane = {};
  bool proof = false;  // the chain costs more than all machines together
};

Tried try_prices(CheapestChain& chain, const std::vector<double>& prices) {
  const double sum = std::accumulate(prices.begin(), prices.end(), 0.0);
  const double cheapest = chain.solve(prices);
  if (cheapest > sum * (1 + kRounding)) return {.proof = true};
  Tried tried{cheapest, {0, chain.taken()}};
  if (sum > 1) {
    tried.value += kFine * (1 - sum);
    tried.plane.offset = kFine;
    for (double& slope : tried.plane.slope) slope -= kFine;
  }
  return tried;
}

// Prices that prove the chain's period impossible; nothing where none are found soon.
std::optional<std::vector<double>> find_proof(CheapestChain chain, BundleMethod& bundle,
                                              const Deadline& deadline) {
  Tried tried = try_prices(chain, bundle.prices());
  if (tried.proof) return bundle.prices();
  bundle.begin(tried.value, std::move(tried.plane));
  for (int round = 0; round < kRounds && !deadline.passed(); ++round) {
    std::vector<double> prices = bundle.next();
    if (bundle.promised() < kLittle * (1 - bundle.value())) break;
    tried = try_prices(chain, prices);
    if (tried.proof) return prices;
    bundle.add(prices, tried.value, std::move(tried.plane));
  }
  return std::nullopt;
}

}  // namespace

MachinePrices find_machine_prices(const StageSums& sums, const Deadline& deadline) {
  const double work = work_bound(sums.problem(), 1) * (1 - kRounding);
  const std::size_t devices = sums.problem().devices.size();
  MachinePrices found{work, std::vector<double>(devices, 1 / static_cast<double>(devices))};
  BundleMethod bundle(found.price);
  const double longest = kBeyond * std::max(work, kShortest);
  double missed = kUnlimited;
  double step = std::max(kFirstStep * work, kShortest);
  const auto is_close = [&] { return missed - found.impossible_period <= kCloseEnough * missed; };
  while ((missed == kUnlimited || !is_close()) && !deadline.passed()) {
    double period = found.impossible_period + step;
    if (missed < kUnlimited) {
      period = (found.impossible_period + missed) / 2;
    } else if (period > longest) {
      period = kUnlimited;
    }
    // Chains of a shorter period are chains of a longer one, so their planes stay, but not the other way.
    BundleMethod trial = bundle;
    if (auto proof = find_proof(CheapestChain(sums, period), trial, deadline)) {
      found = {period, std::move(*proof)};
      bundle = std::move(trial);
      step *= 2;
    } else {
      missed = period;
    }
    if (period == kUnlimited) break;
  }
  return found;
}

}  // namespace lamina
