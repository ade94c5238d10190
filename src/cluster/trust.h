// Machines that fail again and again are left out for a while, longer each time.
#pragma once

#include "base/clock.h"

#include <map>
#include <optional>
#include <set>
#include <string>

namespace lamina {

// Not thread-safe.
class Trust {
 public:
  // Its connection broke while it went on: the third time within a minute it counts as a failure.
  void note_blip(const std::string& machine, Clock::time_point now);
  // It went away or refused its work. The first failure within a minute has no consequence: a machine that
  // comes back is welcome. After it the machine is left out for 1 s, 2 s, 4 s and so on, at most 30 s.
  void note_failure(const std::string& machine, Clock::time_point now);
  // It can't do what is asked of it now: left out even the first time.
  void note_refusal(const std::string& machine, Clock::time_point now);

  bool is_trusted(const std::string& machine, Clock::time_point now) const;
  // When the next machine that is left out is trusted again.
  std::optional<Clock::time_point> next_change(Clock::time_point now) const;

 private:
  struct Record {
    int blips = 0;
    int failures = 0;
    Clock::time_point last = {};   // blip or failure
    Clock::time_point until = {};  // left out
  };
  Record& record(const std::string& machine, Clock::time_point now);

  std::map<std::string, Record> records_;
};

}  // namespace lamina
