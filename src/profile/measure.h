// Measuring a piece where it runs.
#pragma once

#include "engine/engine.h"
#include "graph/tensor.h"
#include "profile/benchmark.h"

#include <chrono>
#include <cstdint>
#include <vector>

namespace lamina {

struct MeasureOptions {
  int warm_up = 3;   // runs that don't count
  int repeats = 10;  // runs that do
  // Idle before each run that counts, as a stage is while others work: processors and threads sleep, caches
  // cool.
  std::chrono::microseconds pause{0};
  // Repeats end early after so long, but not before three.
  std::chrono::milliseconds limit{20000};
};

// Inputs of random numbers for a signature at a batch size, the same for the same seed: floats of −1 to 1
// with mean 0, integers 0 to 9.
std::vector<Tensor> random_inputs(const Signature& signature, std::int64_t batch, std::uint32_t seed);

// Times runs one after another.
PieceTime measure_runs(Executable& executable, const std::vector<Tensor>& inputs,
                       const MeasureOptions& options);

}  // namespace lamina
