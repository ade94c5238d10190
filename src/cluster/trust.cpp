#include "cluster/trust.h"

#include "base/growing_pause.h"

#include <algorithm>
#include <chrono>

namespace lamina {

namespace {

constexpr std::chrono::seconds kForgotten{60};
constexpr std::chrono::seconds kLongest{30};
constexpr int kStrikes = 3;

}  // namespace

Trust::Record& Trust::record(const std::string& machine, Clock::time_point now) {
  Record& record = records_[machine];
  if (now - std::max(record.last, record.until) > kForgotten) record = {};
  record.last = now;
  return record;
}

void Trust::note_blip(const std::string& machine, Clock::time_point now) {
  if (++record(machine, now).blips >= kStrikes) note_refusal(machine, now);
}

void Trust::note_failure(const std::string& machine, Clock::time_point now) {
  Record& known = record(machine, now);
  if (++known.failures == 1) return;
  known.until = now + growing_pause(known.failures, kLongest);
}

void Trust::note_refusal(const std::string& machine, Clock::time_point now) {
  Record& known = record(machine, now);
  known.blips = 0;
  known.failures = std::max(known.failures, 1);
  note_failure(machine, now);
}

bool Trust::is_trusted(const std::string& machine, Clock::time_point now) const {
  const auto found = records_.find(machine);
  return found == records_.end() || found->second.until <= now;
}

std::optional<Clock::time_point> Trust::next_change(Clock::time_point now) const {
  std::optional<Clock::time_point> next;
  for (const auto& [machine, record] : records_) {
    if (record.until > now && (!next || record.until < *next)) next = record.until;
  }
  return next;
}

}  // namespace lamina
