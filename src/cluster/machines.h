// The machines that a pipeline may use: which are there, which of them are trusted, which are slow.
#pragma once

#include "base/clock.h"
#include "cluster/conditions.h"
#include "cluster/membership.h"
#include "cluster/stragglers.h"
#include "cluster/trust.h"

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lamina {

// What is said to be for the planning thread is for one thread alone; all else is thread-safe.
class Machines {
 public:
  // As Membership.
  Machines(const std::vector<std::string>& names, Membership::Find find, MembershipOptions options,
           StragglerOptions stragglers, std::function<void()> changed);

  void start() { membership_.start(); }
  void stop() { membership_.stop(); }
  // Waits, at most `limit`, until each machine has been looked for.
  void wait_for_first_look(std::chrono::milliseconds limit);
  // Waits, at most `limit`, until all of these are there. Whether they are.
  bool wait_for(const std::set<std::string>& names, std::chrono::milliseconds limit);

  std::set<std::string> present() const { return membership_.present(); }
  std::set<std::string> absent() const { return membership_.absent(); }
  std::string address(const std::string& name) const { return membership_.address(name); }

  // A run of a stage there. Whether it became slow.
  bool note_run(const std::string& name, double seconds, double expected);
  // Other stages run from now on.
  void begin_anew() { stragglers_.begin_anew(); }
  Slowness slow() { return stragglers_.slow(Clock::now()); }

  // For the planning thread.

  // Trusts those that went since the last call less. Returns those that are there.
  std::set<std::string> count_failures();
  // A connection to one of the `used` broke, perhaps that to `suspect`: looks which of them are there.
  void find_out(const std::set<std::string>& used, const std::string& suspect);
  // It could not do what it was asked for. Whether it is there, and so is left out for a while.
  bool note_refusal(const std::string& name);
  // What to plan for: those that are there and trusted.
  Conditions conditions();
  // When there are other conditions than the last though nothing happens; it may be past.
  std::optional<Clock::time_point> next_change() const;

 private:
  Stragglers stragglers_;
  Trust trust_;
  std::set<std::string> known_present_;
  Clock::time_point conditions_time_ = {};  // of the last conditions()
  Membership membership_;
};

}  // namespace lamina
