// Machines that answer, but take much longer than planned: too warm, or busy with something else.
//
// The median of some runs is compared with what they were to take. Where all machines of a pipeline take
// longer, by as much as the one that does least, that is not one machine's doing and does not count. Three
// medians in a row make a machine slow. It stays so for a while, and is then taken to be as planned until its
// runs say otherwise: after a minute at first, then two, four and so on. One whose last runs were still slow
// stays so without being tried.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <cstddef>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

struct StragglerOptions {
  double factor = 3;                        // times as long as planned that count as slow; 0: nothing does
  std::size_t runs = 10;                    // at least, in each median …
  std::chrono::milliseconds span{1000};     // … and the time that they come from, at least
  std::chrono::milliseconds pause{60'000};  // until a slow machine is first tried again
};

// By machine, how many times longer it takes than planned: more than 1. Others are as planned.
using Slowness = std::map<std::string, double>;

// Thread-safe.
class Stragglers {
 public:
  explicit Stragglers(StragglerOptions options) : options_(options) {}

  // A run of a stage on a machine and the seconds that it was to take; nothing is said by a run without any.
  // Returns how many times longer the machine takes where it is slow from now on, or slower than before.
  std::optional<double> note(const std::string& machine, double seconds, double expected,
                             Clock::time_point now);
  // Other stages run from now on: medians begin anew, what is slow stays slow.
  void begin_anew();

  // Those that are slow. Machines whose time is up are as planned again.
  Slowness slow(Clock::time_point now);
  // When the next of them is tried again.
  std::optional<Clock::time_point> next_change(Clock::time_point now) const;

 private:
  struct Record {
    std::vector<double> window = {};  // times as long as planned, of each run
    Clock::time_point window_begin = {};
    std::optional<double> median = {};  // of the last window
    Clock::time_point median_time = {};
    int strikes = 0;
    double slowness = 1;
    int times = 0;  // that it was found slow, not long ago
    Clock::time_point until = {};
  };
  // How many times longer it takes than planned, less what all others take.
  double beside_others(const std::string& machine, double median) const;
  Clock::duration pause(int times) const;

  const StragglerOptions options_;
  mutable std::mutex mutex_;
  std::map<std::string, Record> records_;  // guarded by mutex_
};

}  // namespace lamina
