// A small model and workers for it, as processes of this machine.
#pragma once

#include "base/file.h"
#include "deploy/benchmark_session.h"

#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {

// Three layers in a row.
inline Graph make_graph() {
  Graph graph("three");
  ValueId x = graph.add_input("x", {DType::f32, {kBatch, 8}});
  for (const char* name : {"first", "second", "third"}) {
    graph.begin_layer(name, "Dense");
    std::vector<float> values(64);
    std::iota(values.begin(), values.end(), static_cast<float>(name[0]));
    x = graph.add("matmul", {x, graph.add_weight(std::string(name) + "/kernel", Tensor::of({8, 8}, values),
                                                 Weight::Role::trainable)});
    x = graph.add("relu", {x});
  }
  graph.add_output("y", x);
  return graph;
}

class RealWorkers : public testing::Test {
 protected:
  RealWorkers() : model_(slice_model(make_graph())) {}

  void SetUp() override {
    const char* program = std::getenv("LAMINA_PROGRAM");
    if (program == nullptr) GTEST_SKIP() << "LAMINA_PROGRAM names no program to start workers with";
    options_.directory = directory_.path();
    options_.program = program;
  }

  static DeviceInfo device(const std::string& name) {
    DeviceInfo device;
    device.name = name;
    device.threads = 1;
    device.memory = std::uint64_t{512} << 20U;
    return device;
  }

  TemporaryDirectory directory_;
  SlicedModel model_;
  FleetOptions options_;
  BenchmarkOptions quick_{.repeats = 3, .bandwidth_seconds = 0.01, .pings = 3};
};

}  // namespace lamina
