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
  // After them, runs one right after another for so long, and as many as `repeats` at least: their mean is
  // the steady time. It should be longer than quotas of processor time are counted over. 0: no such runs, the
  // median stands for their mean.
  std::chrono::milliseconds steady{0};
  // Each kind of runs ends early after so long, but not before three.
  std::chrono::milliseconds limit{20000};
};

// Inputs of random numbers for a signature at a batch size, the same for the same seed: floats of −1 to 1
// with mean 0, integers 0 to 9.
std::vector<Tensor> random_inputs(const Signature& signature, std::int64_t batch, std::uint32_t seed);

// Times runs one after another.
PieceTime measure_runs(Executable& executable, const std::vector<Tensor>& inputs,
                       const MeasureOptions& options);

}  // namespace lamina
