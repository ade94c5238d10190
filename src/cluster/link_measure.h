// Measuring the way to another process: time on the link, and of the processors at both ends.
#pragma once

#include "base/clock.h"
#include "cluster/data_path.h"
#include "profile/benchmark.h"

#include <chrono>

namespace lamina {

struct LinkTimes {
  Link link = {};
  MessageTime messages = {};  // sending by this process, receiving by the other
};

// `pings` empty messages, then large ones for so long, each after an idle `pause`. A frame takes half a round
// trip and its bytes over the bandwidth: exactly what the cost model says. All that the two processes compute
// meanwhile counts as theirs for messages, so they should do nothing else.
LinkTimes measure_link(DataLink& link, int pings, Clock::duration duration, std::chrono::microseconds pause);

}  // namespace lamina
