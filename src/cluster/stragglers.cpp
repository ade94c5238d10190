#include "cluster/stragglers.h"

#include "profile/statistics.h"

#include <algorithm>
#include <limits>
#include <utility>

namespace lamina {

namespace {

constexpr int kStrikes = 3;
// What a run takes longer than planned by less is none: wherever it ran instead, nobody would notice.
constexpr double kLeastSeconds = 1e-3;
constexpr std::size_t kMostRuns = 1000;  // in a median
constexpr std::chrono::hours kLongestPause{1};
constexpr std::chrono::hours kForgotten{1};
constexpr int kMostDoublings = 12;

}  // namespace

std::optional<double> Stragglers::note(const std::string& machine, double seconds, double expected,
                                       Clock::time_point now) {
  if (!(expected > 0) || !(options_.factor > 0)) return std::nullopt;
  const std::lock_guard lock(mutex_);
  Record& record = records_[machine];
  if (record.window.empty()) record.window_begin = now;
  if (record.window.size() < kMostRuns)
    record.window.push_back(seconds - expected < kLeastSeconds ? std::min(seconds / expected, 1.0)
                                                               : seconds / expected);
  if (record.window.size() < options_.runs || now - record.window_begin < options_.span) return std::nullopt;
  record.median = median(std::exchange(record.window, {}));
  record.median_time = now;
  const double times = beside_others(machine, *record.median);
  record.strikes = times >= options_.factor * record.slowness ? record.strikes + 1 : 0;
  if (record.strikes < kStrikes) return std::nullopt;
  record.strikes = 0;
  if (record.slowness == 1 && now - record.until > kForgotten) record.times = 0;
  record.slowness = times;
  record.until = now + pause(++record.times);
  return times;
}

double Stragglers::beside_others(const std::string& machine, double median) const {
  double least = std::numeric_limits<double>::infinity();
  for (const auto& [name, other] : records_) {
    if (name != machine && other.median) least = std::min(least, *other.median / other.slowness);
  }
  return least > 1 && least < std::numeric_limits<double>::infinity() ? median / least : median;
}

Clock::duration Stragglers::pause(int times) const {
  const auto grown = options_.pause * (1 << std::min(times - 1, kMostDoublings));
  return std::min<Clock::duration>(grown, kLongestPause);
}

void Stragglers::begin_anew() {
  const std::lock_guard lock(mutex_);
  for (auto& [name, record] : records_) {
    record.window.clear();
    record.median.reset();
    record.strikes = 0;
  }
}

Slowness Stragglers::slow(Clock::time_point now) {
  const std::lock_guard lock(mutex_);
  Slowness slow;
  for (auto& [name, record] : records_) {
    if (record.slowness == 1) continue;
    if (record.until <= now) {
      const bool runs_still = record.median && now - record.median_time < options_.pause;
      if (runs_still && beside_others(name, *record.median) >= (1 + options_.factor) / 2) {
        record.until = now + pause(++record.times);
      } else {
        record.slowness = 1;
      }
    }
    if (record.slowness > 1) slow[name] = record.slowness;
  }
  return slow;
}

std::optional<Clock::time_point> Stragglers::next_change(Clock::time_point now) const {
  const std::lock_guard lock(mutex_);
  std::optional<Clock::time_point> next;
  for (const auto& [name, record] : records_) {
    if (record.slowness > 1 && (!next || record.until < *next)) next = std::max(record.until, now);
  }
  return next;
}

}  // namespace lamina
