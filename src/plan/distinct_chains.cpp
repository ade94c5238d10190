#include "plan/distinct_chains.h"

#include <algorithm>
#include <bitset>
#include <cstdint>
#include <numeric>
#include <random>
#include <utility>

namespace lamina {

namespace {

constexpr double kRounding = 1e-9;
constexpr std::size_t kMostWaiting = 2'000'000;
constexpr std::size_t kBetweenLooks = 1024;  // at the clock

// Stages of the first pieces; the price is that of the devices.
struct Beginning {
  std::uint64_t order = 0;  // a random number for the devices, to find equal ones
  std::uint32_t last = 0;   // device
  double price = 0;
  std::bitset<kMostChainDevices> used = {};
};

bool comes_first(const Beginning& a, const Beginning& b) {
  return std::pair(a.order, a.last) < std::pair(b.order, b.last);
}

// What may follow is the same.
bool are_alike(const Beginning& a, const Beginning& b) { return a.last == b.last && a.used == b.used; }

}  // namespace

bool proves_no_distinct_chain(const CheapestChain& chain, const std::vector<double>& prices,
                              const Deadline& deadline) {
  const double too_dear = std::accumulate(prices.begin(), prices.end(), 0.0) * (1 + kRounding);
  std::mt19937_64 random;
  std::vector<std::uint64_t> order(prices.size());
  for (std::uint64_t& one : order) one = random();
  std::vector<std::vector<Beginning>> waiting(chain.pieces() + 1);  // by cut
  std::size_t all_waiting = 0;
  const auto add_stages = [&](const Beginning& from, std::size_t cut, std::uint32_t device) {
    Beginning next{from.order ^ order[device], device, from.price + prices[device], from.used};
    next.used.set(device);
    for (std::size_t end = cut + 1; end <= chain.farthest(device, cut); ++end) {
      if (next.price + chain.rest(end, device) > too_dear) continue;
      waiting[end].push_back(next);
      ++all_waiting;
    }
  };
  const auto devices = static_cast<std::uint32_t>(prices.size());
  for (std::uint32_t device = 0; device < devices; ++device) {
    if (chain.takes_requests(device)) add_stages({}, 0, device);
  }
  std::size_t looked_at = 0;
  for (std::size_t cut = 1; cut < chain.pieces(); ++cut) {
    std::vector<Beginning> here = std::exchange(waiting[cut], {});
    all_waiting -= here.size();
    std::sort(here.begin(), here.end(), comes_first);
    here.erase(std::unique(here.begin(), here.end(), are_alike), here.end());
    for (const Beginning& from : here) {
      if (all_waiting > kMostWaiting || (++looked_at % kBetweenLooks == 0 && deadline.passed())) return false;
      for (std::uint32_t device = 0; device < devices; ++device) {
        if (!from.used[device] && chain.carries(from.last, device, cut)) add_stages(from, cut, device);
      }
    }
  }
  return waiting.back().empty();
}

}  // namespace lamina
