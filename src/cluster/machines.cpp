#include "cluster/machines.h"

#include "base/log.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace lamina {

Machines::Machines(const std::vector<std::string>& names, Membership::Find find, MembershipOptions options,
                   StragglerOptions stragglers, std::function<void()> changed)
    : stragglers_(stragglers), membership_(names, std::move(find), std::move(options), std::move(changed)) {}

void Machines::wait_for_first_look(std::chrono::milliseconds limit) {
  membership_.wait_for_first_look(limit);
}

bool Machines::wait_for(const std::set<std::string>& names, std::chrono::milliseconds limit) {
  return membership_.wait_for(names, limit);
}

bool Machines::note_run(const std::string& name, double seconds, double expected) {
  const std::optional<double> times = stragglers_.note(name, seconds, expected, Clock::now());
  if (times) spdlog::warn("machine '{}' takes {:.1f} times as long as planned", name, *times);
  return times.has_value();
}

std::set<std::string> Machines::count_failures() {
  for (const std::string& name : membership_.absent()) {
    if (known_present_.erase(name) > 0) trust_.note_failure(name, Clock::now());
  }
  known_present_ = membership_.present();
  return known_present_;
}

void Machines::find_out(const std::set<std::string>& used, const std::string& suspect) {
  if (!suspect.empty() && membership_.look(suspect)) trust_.note_blip(suspect, Clock::now());
  for (const std::string& name : used) {
    if (name != suspect) membership_.look(name);
  }
}

bool Machines::note_refusal(const std::string& name) {
  if (!membership_.look(name)) return false;
  trust_.note_refusal(name, Clock::now());
  return true;
}

Conditions Machines::conditions() {
  Conditions conditions;
  const Clock::time_point now = Clock::now();
  conditions_time_ = now;
  for (const std::string& name : membership_.present()) {
    if (trust_.is_trusted(name, now)) conditions.machines.insert(name);
  }
  conditions.slowness = stragglers_.slow(now);
  return conditions;
}

// Of what changed since, not from now on: what changes before this is asked would be missed.
std::optional<Clock::time_point> Machines::next_change() const {
  const std::optional<Clock::time_point> trusted = trust_.next_change(conditions_time_);
  const std::optional<Clock::time_point> tried = stragglers_.next_change(conditions_time_);
  if (!trusted || !tried) return trusted ? trusted : tried;
  return std::min(*trusted, *tried);
}

}  // namespace lamina
