// What a pipeline lost and when it served again, for people.
#pragma once

#include "base/clock.h"
#include "cluster/orchestrator.h"
#include "cluster/stragglers.h"

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <set>
#include <string>

namespace lamina {

// Thread-safe. Of requests that were sent again it is told how many there were so far.
class RecoveryHistory {
 public:
  // Nothing serves from now on, for this reason. Does nothing where that was so before.
  void begin(const std::string& reason, std::uint64_t resent);
  // Machines that were lost, too, until it serves again.
  void add_lost(const std::set<std::string>& machines);
  // Since begin(); 0 where it serves.
  double seconds() const;
  // It serves again. Returns the seconds since begin().
  double end(std::uint64_t resent);
  // Another plan serves; it served all the time, and requests were sent again since there were `before`.
  void add_change(std::chrono::system_clock::time_point when, const std::string& reason, std::uint64_t before,
                  std::uint64_t resent);

  void set_state(const std::string& state);
  // Those that are gone and those that are slow now.
  void set_machines(const std::set<std::string>& lost, const Slowness& slow);

  RecoveryStatus status() const;

 private:
  void keep(Recovery recovery);

  mutable std::mutex mutex_;
  // All below is guarded by mutex_.
  RecoveryStatus status_;
  std::optional<Recovery> under_way_;  // requests_resent: of before
  Clock::time_point since_;
};

}  // namespace lamina
