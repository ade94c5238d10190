#include "profile/measure.h"

#include "base/clock.h"
#include "graph/convert.h"
#include "profile/statistics.h"

#include <cstring>
#include <random>
#include <thread>
#include <utility>

namespace lamina {

std::vector<Tensor> random_inputs(const Signature& signature, std::int64_t batch, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> real(-1, 1);
  std::uniform_int_distribution<int> whole(0, 9);
  std::vector<Tensor> inputs;
  for (const Signature::End& input : signature.inputs) {
    const TensorType type{DType::f32, at_batch(input.type.shape, batch)};
    std::vector<float> values(static_cast<std::size_t>(element_count(type.shape)));
    const bool floating = is_floating(input.type.dtype);
    for (float& value : values) value = floating ? real(random) : static_cast<float>(whole(random));
    inputs.push_back(convert(Tensor::of(type.shape, values), input.type.dtype));
  }
  return inputs;
}

namespace {

constexpr int kLeast = 3;

double steady_seconds(Executable& executable, const std::vector<Tensor>& inputs,
                      const MeasureOptions& options) {
  const Deadline limit(options.limit);
  const Deadline enough(options.steady);
  const Clock::time_point begin = Clock::now();
  int runs = 0;
  while (runs < kLeast || (!limit.passed() && (runs < options.repeats || !enough.passed()))) {
    executable.run(inputs);
    ++runs;
  }
  return seconds_since(begin) / runs;
}

}  // namespace

PieceTime measure_runs(Executable& executable, const std::vector<Tensor>& inputs,
                       const MeasureOptions& options) {
  for (int i = 0; i < options.warm_up; ++i) executable.run(inputs);
  const Deadline limit(options.limit);
  std::vector<double> seconds;
  for (int i = 0; i < options.repeats && (i < kLeast || !limit.passed()); ++i) {
    std::this_thread::sleep_for(options.pause);
    const Clock::time_point begin = Clock::now();
    executable.run(inputs);
    seconds.push_back(seconds_since(begin));
  }
  const double steady =
      options.steady.count() > 0 ? steady_seconds(executable, inputs, options) : quantile(seconds, 0.5);
  const MemoryUse memory = executable.memory();
  return {quantile(seconds, 0.5), quantile(seconds, 0.1), quantile(seconds, 0.9),
          memory.activations,     memory.weights,         steady};
}

}  // namespace lamina
