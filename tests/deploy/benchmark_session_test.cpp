// Real workers, as processes of this machine.
#include "deploy/benchmark_session.h"

#include "base/error.h"
#include "base/file.h"

#include <csignal>
#include <cstdlib>
#include <numeric>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Three layers in a row.
Graph make_graph() {
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

class Measured : public testing::Test {
 protected:
  Measured() : model_(slice_model(make_graph())) {}

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

TEST_F(Measured, EveryPieceOnEveryDeviceAndEveryLink) {
  Fleet fleet({device("a"), device("b")}, options_);
  std::size_t last = 0;
  std::size_t all = 0;
  const Benchmark benchmark =
      measure_fleet(model_, "hash", fleet, quick_, [&](std::size_t done, std::size_t of, const std::string&) {
        EXPECT_GE(done, last);
        last = done;
        all = of;
      });
  EXPECT_EQ(last, all);  // the progress bar comes to its end
  // Whatever was measured can be kept and read.
  const Benchmark read = benchmark_from_json(to_json(benchmark), "benchmark.json");
  EXPECT_EQ(read.pieces.size(), 3U);
  for (const auto& row : read.measurements) {
    for (const PieceMeasurement& cell : row) EXPECT_TRUE(cell.time) << cell.failure;
  }
  for (const auto& row : read.links) {
    for (const Link& link : row) EXPECT_GT(link.bandwidth, 0);
  }
}

TEST_F(Measured, AWorkerThatDiesOfAPieceIsStartedAgainAndThePieceMarked) {
  Fleet fleet({device("a")}, options_);
  const Benchmark benchmark =
      measure_fleet(model_, "hash", fleet, quick_, [&](std::size_t, std::size_t, const std::string& what) {
        if (what == "second on a") ::kill(fleet.local_workers().front().pid(), SIGKILL);
      });
  const auto& row = benchmark.measurements.at(0);
  ASSERT_EQ(row.size(), 3U);
  EXPECT_TRUE(row[0].time);
  ASSERT_FALSE(row[1].time);
  EXPECT_NE(row[1].failure.find("worker 'a' was ended by signal 9"), std::string::npos) << row[1].failure;
  EXPECT_TRUE(row[2].time) << row[2].failure;
}

TEST_F(Measured, ADeviceWithoutAWorkerIsNamed) {
  DeviceInfo gone;
  gone.name = "gone";
  gone.address = "127.0.0.1:1";
  options_.startup = std::chrono::milliseconds(300);
  try {
    Fleet fleet({gone}, options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:1"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace lamina
