#include "cluster/recovery_history.h"

#include "base/log.h"

#include <utility>

namespace lamina {

void RecoveryHistory::begin(const std::string& reason, std::uint64_t resent) {
  const std::lock_guard lock(mutex_);
  if (under_way_) return;
  under_way_ = Recovery{std::chrono::system_clock::now(), reason, {}, 0, resent};
  since_ = Clock::now();
  status_.state = "recovering";
}

void RecoveryHistory::add_lost(const std::set<std::string>& machines) {
  const std::lock_guard lock(mutex_);
  if (!under_way_) return;
  std::set<std::string> lost(under_way_->lost.begin(), under_way_->lost.end());
  lost.insert(machines.begin(), machines.end());
  under_way_->lost.assign(lost.begin(), lost.end());
}

double RecoveryHistory::seconds() const {
  const std::lock_guard lock(mutex_);
  return under_way_ ? seconds_since(since_) : 0;
}

double RecoveryHistory::end(std::uint64_t resent) {
  const std::lock_guard lock(mutex_);
  status_.state = "serving";
  if (!under_way_) return 0;
  Recovery recovery = *std::exchange(under_way_, std::nullopt);
  recovery.seconds = seconds_since(since_);
  recovery.requests_resent = resent - recovery.requests_resent;
  ++status_.recoveries;
  status_.last_seconds = recovery.seconds;
  status_.seconds += recovery.seconds;
  keep(std::move(recovery));
  return status_.last_seconds;
}

void RecoveryHistory::add_change(std::chrono::system_clock::time_point when, const std::string& reason,
                                 std::uint64_t before, std::uint64_t resent) {
  const std::lock_guard lock(mutex_);
  ++status_.replans;
  keep({when, reason, {}, 0, resent - before});
}

void RecoveryHistory::keep(Recovery recovery) {
  status_.last.push_back(std::move(recovery));
  if (status_.last.size() > kMostRecoveries) status_.last.erase(status_.last.begin());
}

void RecoveryHistory::set_state(const std::string& state) {
  const std::lock_guard lock(mutex_);
  status_.state = state;
}

void RecoveryHistory::set_machines(const std::set<std::string>& lost, const Slowness& slow) {
  const std::lock_guard lock(mutex_);
  status_.lost.assign(lost.begin(), lost.end());
  for (const auto& [name, times] : status_.slow) {
    if (!slow.contains(name)) spdlog::info("machine '{}' is taken to be as fast as planned again", name);
  }
  status_.slow = slow;
}

RecoveryStatus RecoveryHistory::status() const {
  const std::lock_guard lock(mutex_);
  return status_;
}

}  // namespace lamina
