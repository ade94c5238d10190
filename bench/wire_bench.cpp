// What each wire format makes of activations: wire_bench [FILE.npy...]
//
// For activations of the shapes that VGG16 has between its blocks, random behind a ReLU, and for each file
// given (float32, say, real activations): bytes that travel over the tensor's, how fast one thread narrows
// and widens, in GB of float32 a second, what is lost as root mean square over that of the values, and on
// links of several speeds the time of a hop over that of f32. Formats take turns; a Markdown table comes out.
#include "base/clock.h"
#include "base/error.h"
#include "cluster/process_memory.h"
#include "graph/npy.h"
#include "graph/wire_format.h"
#include "profile/statistics.h"
#include "profile/wire_measure.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>

namespace lamina {
namespace {

constexpr int kRounds = 15;
// Bytes a second of 1 and 10 Gbit/s.
constexpr std::array<double, 2> kLinks = {0.125e9, 1.25e9};
constexpr std::array kFormats = {WireFormat::f32, WireFormat::bf16, WireFormat::f16, WireFormat::int8,
                                 WireFormat::lz4};

struct Seen {
  std::vector<double> narrow;
  std::vector<double> widen;
  std::uint64_t bytes = 0;
};

double lost(const Tensor& tensor, const Tensor& back) {
  const std::vector<float> values = tensor.to_floats();
  const std::vector<float> widened = back.to_floats();
  double square = 0;
  double error = 0;
  for (std::size_t i = 0; i < values.size(); ++i) {
    square += static_cast<double>(values[i]) * values[i];
    error += std::pow(static_cast<double>(widened[i]) - values[i], 2);
  }
  return square > 0 ? std::sqrt(error / square) : 0;
}

std::string in_gigabytes(double bytes, const std::vector<double>& seconds) {
  return fmt::format("{:.1f} ({:.1f}–{:.1f})", bytes / median(seconds) / 1e9,
                     bytes / quantile(seconds, 0.75) / 1e9, bytes / quantile(seconds, 0.25) / 1e9);
}

void measure(const std::string& name, const Tensor& tensor) {
  const auto size = static_cast<double>(tensor.data().size());
  // Small tensors are narrowed several times, until there is something to time.
  const int repeats = std::max(1, static_cast<int>(1e6 / size));
  std::array<Seen, kFormats.size()> seen;
  for (int round = -1; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kFormats.size(); ++i) {
      WireTensor narrowed;
      Clock::time_point begin = Clock::now();
      for (int k = 0; k < repeats; ++k) narrowed = narrow(tensor, kFormats[i]);
      const double narrowing = seconds_since(begin) / repeats;
      begin = Clock::now();
      for (int k = 0; k < repeats; ++k) widen(narrowed);
      const double widening = seconds_since(begin) / repeats;
      seen[i].bytes = narrowed.bytes.size();
      if (round < 0) continue;
      seen[i].narrow.push_back(narrowing);
      seen[i].widen.push_back(widening);
    }
  }
  for (std::size_t i = 0; i < kFormats.size(); ++i) {
    const bool as_it_is = kFormats[i] == WireFormat::f32;
    const auto bytes = static_cast<double>(seen[i].bytes);
    fmt::print("| {} | {} | {:.3f} | {} | {} | {:.5f} |", name, to_string(kFormats[i]), bytes / size,
               as_it_is ? "" : in_gigabytes(size, seen[i].narrow),
               as_it_is ? "" : in_gigabytes(size, seen[i].widen),
               lost(tensor, widen(narrow(tensor, kFormats[i]))));
    for (const double link : kLinks) {
      const double hop = median(seen[i].narrow) + bytes / link + median(seen[i].widen);
      fmt::print(" {:.2f} |", hop / (size / link));
    }
    fmt::print("\n");
  }
  std::fflush(stdout);
}

int run(int count, char** arguments) {
  fmt::print(
      "| activations | format | bytes / f32 | narrow, GB/s | widen, GB/s | lost | computed hop at 1 Gbit/s / "
      "f32 | "
      "at 10 Gbit/s |\n| --- | --- | --- | --- | --- | --- | --- | --- |\n");
  for (const Shape& shape : {Shape{1, 224, 224, 64}, Shape{1, 56, 56, 256}, Shape{1, 7, 7, 512}}) {
    measure(to_string(shape), relu_values(shape));
  }
  for (int i = 1; i < count; ++i) measure(arguments[i], load_npy(arguments[i]));
  return 0;
}

}  // namespace
}  // namespace lamina

int main(int count, char** arguments) {
  lamina::keep_freed_memory();
  try {
    return lamina::run(count, arguments);
  } catch (const std::exception& error) {
    fmt::print(stderr, "wire_bench: {}\n", error.what());
    return 1;
  }
}
