#include "cluster/link_measure.h"

#include "base/processor_clock.h"
#include "profile/statistics.h"

#include <algorithm>
#include <numeric>
#include <thread>
#include <vector>

namespace lamina {

namespace {

constexpr std::size_t kProbeBytes = 4U << 20U;
constexpr std::chrono::seconds kEchoLimit{20};

// Echoes of one size: their times, and for each the processors' time at both ends.
struct Echoes {
  std::vector<double> seconds;
  double sender = 0;
  double receiver = 0;
};

// Ends after `least` echoes and `duration`.
Echoes time_echoes(DataLink& link, const std::vector<Tensor>& tensors, int least, Clock::duration duration,
                   std::chrono::microseconds pause) {
  Echoes echoes;
  double peer = link.echo({}, kEchoLimit);
  const double before = peer;
  const double own = processor_seconds();
  const Deadline until(duration);
  while (static_cast<int>(echoes.seconds.size()) < least || !until.passed()) {
    std::this_thread::sleep_for(pause);
    const Clock::time_point begin = Clock::now();
    peer = link.echo(tensors, kEchoLimit);
    echoes.seconds.push_back(seconds_since(begin));
  }
  const auto count = static_cast<double>(echoes.seconds.size());
  echoes.sender = (processor_seconds() - own) / count;
  echoes.receiver = (peer - before) / count;
  return echoes;
}

}  // namespace

LinkTimes measure_link(DataLink& link, int pings, Clock::duration duration, std::chrono::microseconds pause) {
  link.echo({}, kEchoLimit);  // connects
  const Echoes empty = time_echoes(link, {}, pings, Clock::duration::zero(), pause);
  const Tensor bulk({DType::u8, {static_cast<std::int64_t>(kProbeBytes)}},
                    Buffer::copy(std::vector<std::byte>(kProbeBytes)));
  const Echoes large = time_echoes(link, {bulk}, 1, duration, pause);
  const double trips = std::accumulate(empty.seconds.begin(), empty.seconds.end(), 0.0);
  const double transfer = std::max(median(large.seconds) - median(empty.seconds), 1e-9);
  const auto a_byte = [](double of_large, double of_empty) {
    return std::max(of_large - of_empty, 0.0) / static_cast<double>(kProbeBytes);
  };
  // An echo is a message each way: either end sends one and receives one.
  return {{quantile(empty.seconds, 0), trips / static_cast<double>(empty.seconds.size()),
           quantile(empty.seconds, 1), static_cast<double>(kProbeBytes) / transfer},
          {empty.sender / 2, a_byte(large.sender, empty.sender), empty.receiver / 2,
           a_byte(large.receiver, empty.receiver)}};
}

}  // namespace lamina
