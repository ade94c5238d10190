#include "profile/wire_measure.h"

#include "base/clock.h"
#include "profile/statistics.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <vector>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kLimit{100};
constexpr std::size_t kLeastRuns = 3;
constexpr std::size_t kMostRuns = 1000;
// Random numbers take longer than what is measured, so they repeat after 4 MiB: more than LZ4 looks back.
constexpr std::size_t kPeriod = 1U << 20U;

}  // namespace

Tensor relu_values(const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(element_count(shape)));
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (std::size_t i = 0; i < values.size(); ++i) {
    values[i] = i < kPeriod ? std::max(normal(random), 0.0F) : values[i - kPeriod];
  }
  return Tensor::of(shape, values);
}

WireTime measure_wire(WireFormat format, std::uint64_t bytes) {
  const Tensor tensor = relu_values({static_cast<std::int64_t>((bytes + 3) / 4)});
  WireTensor narrowed = narrow(tensor, format);  // the first run finds memory and caches cold
  widen(narrowed);
  std::vector<double> narrowing;
  std::vector<double> widening;
  const Deadline until(kLimit);
  while (narrowing.size() < kLeastRuns || (!until.passed() && narrowing.size() < kMostRuns)) {
    narrowed.bytes = Buffer();
    Clock::time_point begin = Clock::now();
    narrowed = narrow(tensor, format);
    narrowing.push_back(seconds_since(begin));
    begin = Clock::now();
    widen(narrowed);
    widening.push_back(seconds_since(begin));
  }
  return {median(narrowing), median(widening), narrowed.bytes.size()};
}

}  // namespace lamina
