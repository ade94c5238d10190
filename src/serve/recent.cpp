#include "serve/recent.h"

#include <algorithm>
#include <chrono>
#include <vector>

namespace lamina {

namespace {

constexpr std::chrono::seconds kRateWindow{10};
constexpr std::chrono::seconds kLatencyWindow{60};

}  // namespace

void RecentPredictions::add(Clock::time_point now, double seconds) {
  const std::scoped_lock lock(mutex_);
  entries_[count_++ % entries_.size()] = {now, seconds};
}

RecentPredictions::Summary RecentPredictions::summary(Clock::time_point now) const {
  std::vector<double> seconds;
  std::size_t in_rate_window = 0;
  // At high rates the entries reach back less than the window: then divide by the time they cover.
  double covered = std::chrono::duration<double>(kRateWindow).count();
  {
    const std::scoped_lock lock(mutex_);
    const std::size_t kept = std::min(count_, entries_.size());
    for (std::size_t i = 0; i < kept; ++i) {
      const Entry& entry = entries_[i];
      if (now - entry.end <= kRateWindow) ++in_rate_window;
      if (now - entry.end <= kLatencyWindow) seconds.push_back(entry.seconds);
    }
    if (count_ > entries_.size() && in_rate_window == kept) {
      const Clock::time_point oldest = entries_[count_ % entries_.size()].end;
      covered = std::max(std::chrono::duration<double>(now - oldest).count(), 1e-3);
    }
  }
  Summary summary;
  summary.per_second = static_cast<double>(in_rate_window) / covered;
  if (seconds.empty()) return summary;
  std::ranges::sort(seconds);
  summary.median = seconds[(seconds.size() - 1) / 2];
  summary.p95 = seconds[(seconds.size() - 1) * 95 / 100];
  return summary;
}

}  // namespace lamina
