// Measuring a sliced model on a fleet.
#pragma once

#include "deploy/fleet.h"
#include "profile/benchmark.h"
#include "slice/artifact.h"

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace lamina {

struct BenchmarkOptions {
  std::vector<std::int64_t> batches = {1};  // sizes, each once; the first is the one that counts most
  int repeats = 10;
  double bandwidth_seconds = 1;  // for each direction of each pair
  int pings = 100;
  double memory_multiplier = 0.8;
  std::string precision = "f32";
};

// Called before each step: how many are done, of how many, and what comes.
using Progress = std::function<void(std::size_t done, std::size_t all, const std::string& what)>;

// Devices are measured one after another, so that those of one machine don't disturb each other. A piece that
// can't run on a device, for its memory or otherwise, is marked with the reason and not fatal; a local worker
// that dies of it is started again. So is a link that can't be measured. `model_hash` is that of model.json.
Benchmark measure_fleet(const SlicedModel& model, const std::string& model_hash, Fleet& fleet,
                        const BenchmarkOptions& options, const Progress& progress);

}  // namespace lamina
