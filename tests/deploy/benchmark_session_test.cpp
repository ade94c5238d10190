// Real workers, as processes of this machine.
#include "deploy/benchmark_session.h"

#include "base/error.h"
#include "deploy/real_workers.h"

#include <csignal>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using Measured = RealWorkers;

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

TEST_F(Measured, EachBatchSizeHasFiguresOfItsOwn) {
  Fleet fleet({device("a")}, options_);
  quick_.batches = {2, 8};
  const Benchmark benchmark = measure_fleet(model_, "hash", fleet, quick_, nullptr);
  EXPECT_EQ(batch_sizes(benchmark), (std::vector<std::int64_t>{2, 8}));
  EXPECT_EQ(benchmark.batch, 2);
  const Benchmark eight = at_batch(benchmark, 8);
  for (std::size_t cut = 0; cut < eight.cut_bytes.size(); ++cut)
    EXPECT_EQ(eight.cut_bytes[cut], 4 * benchmark.cut_bytes[cut]);
  for (const PieceMeasurement& cell : eight.measurements.at(0)) EXPECT_TRUE(cell.time) << cell.failure;
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

TEST_F(Measured, ALinkWhoseSenderDiesIsMarkedAndTheOthersAreMeasured) {
  Fleet fleet({device("a"), device("b")}, options_);
  const Benchmark benchmark =
      measure_fleet(model_, "hash", fleet, quick_, [&](std::size_t, std::size_t, const std::string& what) {
        if (what == "link a → b") ::kill(fleet.local_workers().front().pid(), SIGKILL);
      });
  EXPECT_FALSE(benchmark.links[0][1].failure.empty());
  EXPECT_EQ(benchmark.links[0][1].bandwidth, 0);
  EXPECT_GT(benchmark.links[1][0].bandwidth, 0) << benchmark.links[1][0].failure;
  EXPECT_GT(benchmark.messages[1].send, 0);
  EXPECT_EQ(benchmark.messages[0].send, 0);
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
