#include "profile/benchmark.h"

#include "base/error.h"
#include "base/file.h"
#include "support/mutate.h"

#include <cmath>

#include <gtest/gtest.h>

namespace lamina {
namespace {

Benchmark example() {
  Benchmark benchmark;
  benchmark.model = "model";
  benchmark.model_hash = std::string(64, 'a');
  benchmark.engine = "openvino 2024";
  benchmark.devices = {{"vm4", "", 1, 1U << 30U, 1U << 29U, 0.6},
                       {"pc5", "10.0.0.5:7070", 8, 1U << 31U, 1U << 30U}};
  benchmark.pieces = {{"conv", 0, 2, 1000}, {"dense", 2, 3, 2000}};
  benchmark.cut_bytes = {100, 50, 4};
  benchmark.wake = {1e-4, 2e-4};
  benchmark.fusion = {1, 0.9};
  benchmark.steady_fusion = {1, 0.95};
  benchmark.measurements = {
      {{PieceTime{0.1, 0.09, 0.2, 300, 1000, 0.08}, ""}, {std::nullopt, "out of memory"}},
      {{PieceTime{0.01, 0.009, 0.02, 300, 1000, 0.01}, ""},
       {PieceTime{0.02, 0.01, 0.03, 10, 2000, 0.015}, ""}}};
  benchmark.links = {{{1e-5, 2e-5, 3e-5, 1e9}, {1e-4, 2e-4, 3e-4, 1e8}},
                     {{1e-4, 2e-4, 3e-4, 1e8}, {1e-5, 2e-5, 3e-5, 1e9}}};
  benchmark.devices[1].processors = 8;
  benchmark.messages = {{1e-4, 2e-9, 1e-4, 3e-9}, {1e-5, 1e-9, 2e-5, 1e-9}};
  benchmark.formats = {{{"bf16", 1e-10, 2e-10}}, {}};
  return benchmark;
}

TEST(Benchmarks, ComeBackAsTheyWere) {
  const Benchmark benchmark = example();
  const TemporaryDirectory directory;
  save_benchmark(directory.path(), benchmark);
  const Benchmark read = load_benchmark(directory.path());
  EXPECT_EQ(to_json(read), to_json(benchmark));
  EXPECT_EQ(read.measurements[0][1].failure, "out of memory");
  EXPECT_EQ(read.wake, benchmark.wake);
}

TEST(Benchmarks, KeepBlocksThatBeginAndEndWherePiecesDo) {
  Benchmark benchmark = example();
  const PieceMeasurement measured{PieceTime{0.1, 0.09, 0.2, 300, 1000, 0.08}, ""};
  BlockInfo block{0, 2, {100}, 8, {{"left", {0}, 40, 500}, {"right", {0}, 10, 500}}, {}};
  block.measurements = {{measured, {std::nullopt, "out of memory"}}, {measured, measured}};
  benchmark.blocks = {block};
  const Benchmark read = benchmark_from_json(to_json(benchmark), "benchmark.json");
  ASSERT_EQ(read.blocks.size(), 1U);
  EXPECT_EQ(read.blocks[0].branches[1].name, "right");
  EXPECT_EQ(read.blocks[0].measurements[0][1].failure, "out of memory");
  EXPECT_EQ(to_json(read), to_json(benchmark));
  const auto expect_refused = [&](const char* what, const auto& change) {
    Json json = to_json(benchmark);
    change(json["blocks"]);
    EXPECT_THROW(benchmark_from_json(json, "benchmark.json"), Error) << what;
  };
  expect_refused("an end within a piece", [](Json& blocks) { blocks[0]["end"] = 1; });
  expect_refused("no space between blocks", [](Json& blocks) {
    blocks.push_back(blocks[0]);
    blocks[1]["begin"] = 2;
    blocks[1]["end"] = 3;
  });
  expect_refused("an input that is none", [](Json& blocks) { blocks[0]["branches"][0]["inputs"] = {1}; });
  expect_refused("one branch", [](Json& blocks) { blocks[0]["branches"].erase(1); });
  expect_refused("a device without figures", [](Json& blocks) { blocks[0]["measurements"].erase(1); });
  Json old = to_json(benchmark);
  old.erase("blocks");
  EXPECT_TRUE(benchmark_from_json(old, "benchmark.json").blocks.empty());
}

TEST(Benchmarks, KeepEachBatchSize) {
  Benchmark benchmark = example();
  BatchFigures four = benchmark;
  four.batch = 4;
  four.cut_bytes = {400, 200, 16};
  four.measurements[0][0].time->median = 0.3;
  benchmark.other_batches = {four};
  const Benchmark read = benchmark_from_json(to_json(benchmark), "benchmark.json");
  EXPECT_EQ(batch_sizes(read), (std::vector<std::int64_t>{1, 4}));
  const Benchmark at_four = at_batch(read, 4);
  EXPECT_EQ(at_four.batch, 4);
  EXPECT_EQ(at_four.cut_bytes, four.cut_bytes);
  EXPECT_EQ(at_four.measurements[0][0].time->median, 0.3);
  EXPECT_EQ(at_four.devices.size(), 2U);
  EXPECT_EQ(to_json(at_batch(at_four, 1)), to_json(benchmark));
  EXPECT_THROW(at_batch(read, 3), Error);

  Json twice = to_json(benchmark);
  twice["other_batches"][0]["batch"] = 1;
  EXPECT_THROW(benchmark_from_json(twice, "benchmark.json"), Error);
  Json hole = to_json(benchmark);
  hole["other_batches"][0]["measurements"].erase(1);
  EXPECT_THROW(benchmark_from_json(hole, "benchmark.json"), Error);
}

TEST(Benchmarks, WithoutSharesOfProcessorsThereAreNone) {
  Json json = to_json(example());
  EXPECT_EQ(benchmark_from_json(json, "benchmark.json").devices[0].cpus, 0.6);
  json["devices"][0].erase("cpus");
  EXPECT_EQ(benchmark_from_json(json, "benchmark.json").devices[0].cpus, 0);
}

TEST(Benchmarks, HolesAndFiguresThatAreNoneAreRefused) {
  const auto expect_refused = [](const char* what, const auto& change) {
    Json json = to_json(example());
    change(json);
    EXPECT_THROW(benchmark_from_json(json, "benchmark.json"), Error) << what;
  };
  expect_refused("a device without measurements", [](Json& json) { json["measurements"].erase(1); });
  expect_refused("a piece without measurement", [](Json& json) { json["measurements"][0].erase(0); });
  expect_refused("a link never measured", [](Json& json) { json["links"][1].erase(0); });
  expect_refused("a negative time", [](Json& json) { json["measurements"][0][0]["median"] = -1; });
  expect_refused("a time that is text", [](Json& json) { json["measurements"][0][0]["median"] = "fast"; });
  expect_refused("a negative bandwidth", [](Json& json) { json["links"][0][1]["bandwidth"] = -5; });
  expect_refused("no waking", [](Json& json) { json.erase("wake"); });
  expect_refused("negative waking", [](Json& json) { json["wake"][0] = -1; });
  expect_refused("a fusion for each device but one", [](Json& json) { json["fusion"].erase(0); });
  expect_refused("pieces with a hole", [](Json& json) { json["pieces"][1]["begin"] = 3; });
  expect_refused("a negative share", [](Json& json) { json["devices"][0]["cpus"] = -0.5; });
  expect_refused("messages of one device", [](Json& json) { json["messages"].erase(1); });
  expect_refused("a negative time of messages", [](Json& json) { json["messages"][0]["send_byte"] = -1; });
  expect_refused("no wire formats", [](Json& json) { json.erase("formats"); });
  expect_refused("a format without a name", [](Json& json) { json["formats"][0][0].erase("format"); });
  expect_refused("fewer than no processors", [](Json& json) { json["devices"][1]["processors"] = -1; });
  expect_refused("another version", [](Json& json) { json["version"] = 1; });
  expect_refused("a batch of none", [](Json& json) { json["batch"] = 0; });
  expect_refused("no devices", [](Json& json) { json["devices"] = Json::array(); });
}

TEST(Benchmarks, KeepWhyALinkOrAPieceHasNoFigures) {
  Benchmark benchmark = example();
  benchmark.links[0][1] = {.failure = "connection refused"};
  const Benchmark read = benchmark_from_json(to_json(benchmark), "benchmark.json");
  EXPECT_EQ(read.links[0][1].failure, "connection refused");
  EXPECT_EQ(read.links[0][1].bandwidth, 0);
  EXPECT_EQ(read.links[1][0].failure, "");
  Json json = to_json(example());
  json["links"][1][0] = nullptr;
  json["measurements"][1][0] = nullptr;
  const Benchmark holes = benchmark_from_json(json, "benchmark.json");
  EXPECT_FALSE(holes.links[1][0].failure.empty());
  EXPECT_FALSE(holes.measurements[1][0].time);
  EXPECT_FALSE(holes.measurements[1][0].failure.empty());
}

TEST(Benchmarks, ErrorsNameTheDevicePieceOrLink) {
  const auto expect_named = [](const std::string& named, const auto& change) {
    Json json = to_json(example());
    change(json);
    try {
      benchmark_from_json(json, "benchmark.json");
      ADD_FAILURE() << "nothing names " << named;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(named), std::string::npos) << error.what();
    }
  };
  expect_named("'dense' on 'pc5': 'median' is -1",
               [](Json& json) { json["measurements"][1][1]["median"] = -1; });
  expect_named("'conv' on 'vm4': 'steady' is null",
               [](Json& json) { json["measurements"][0][0]["steady"] = nullptr; });
  expect_named("link from 'pc5' to 'vm4': 'bandwidth' is null",
               [](Json& json) { json["links"][1][0]["bandwidth"] = nullptr; });
  expect_named("device 'pc5': 'wake' is -1", [](Json& json) { json["wake"][1] = -1; });
  expect_named("device 'pc5': 'links' is null", [](Json& json) { json["links"][1] = nullptr; });
  expect_named("two devices are named 'vm4'", [](Json& json) { json["devices"][1]["name"] = "vm4"; });
  expect_named("'memory_multiplier' is 0", [](Json& json) { json["memory_multiplier"] = 0; });
}

TEST(Benchmarks, DamagedFilesAreReadOrRefused) {
  const std::string text = to_json(example()).dump(1);
  Random random(1);
  int read = 0;
  for (int i = 0; i < 3000; ++i) {
    try {
      const Benchmark benchmark =
          benchmark_from_json(parse_json(mutate(text, random), "benchmark.json"), "benchmark.json");
      ++read;
      for (const auto& row : benchmark.measurements) {
        ASSERT_EQ(row.size(), benchmark.pieces.size());
        for (const PieceMeasurement& cell : row) {
          if (cell.time) {
            EXPECT_TRUE(std::isfinite(cell.time->median) && cell.time->median >= 0);
          }
        }
      }
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("benchmark.json"), std::string::npos) << error.what();
    }
  }
  EXPECT_GT(read, 10);
}

}  // namespace
}  // namespace lamina
