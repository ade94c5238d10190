#include "profile/measure.h"

#include "base/clock.h"
#include "profile/statistics.h"

#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// Takes as long as it is told, run by run.
class Paced : public Executable {
 public:
  explicit Paced(std::vector<int> milliseconds) : milliseconds_(std::move(milliseconds)) {}
  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    begins_.push_back(Clock::now());
    std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds_[runs_++ % milliseconds_.size()]));
    ends_.push_back(Clock::now());
    return {inputs.begin(), inputs.end()};
  }
  MemoryUse memory() const override { return {.weights = 7, .activations = 9}; }
  std::size_t runs() const { return runs_; }
  // The shortest time between the end of a run and the begin of the next.
  Clock::duration shortest_idle() const {
    Clock::duration shortest = Clock::duration::max();
    for (std::size_t i = 1; i < begins_.size(); ++i) shortest = std::min(shortest, begins_[i] - ends_[i - 1]);
    return shortest;
  }

 private:
  std::vector<int> milliseconds_;
  std::size_t runs_ = 0;
  std::vector<Clock::time_point> begins_;
  std::vector<Clock::time_point> ends_;
};

TEST(Measuring, WarmUpDoesNotCount) {
  Paced paced({200, 200, 5, 5, 5, 5, 5});
  const PieceTime time = measure_runs(paced, {}, {.warm_up = 2, .repeats = 5});
  EXPECT_EQ(paced.runs(), 7U);
  EXPECT_LT(time.p90, 0.2);
  EXPECT_GE(time.median, 0.005);
  EXPECT_EQ(time.weight_bytes, 7U);
  EXPECT_EQ(time.activation_bytes, 9U);
}

TEST(Measuring, IdlesBeforeEachRunThatCounts) {
  Paced paced({1});
  const PieceTime time =
      measure_runs(paced, {}, {.warm_up = 0, .repeats = 4, .pause = std::chrono::milliseconds(30)});
  EXPECT_GE(paced.shortest_idle(), std::chrono::milliseconds(30));
  EXPECT_LT(time.p10, 0.03);  // the pause is no part of the time
}

TEST(Measuring, EndsEarlyButNotBeforeThreeRuns) {
  Paced paced({20});
  measure_runs(paced, {}, {.warm_up = 0, .repeats = 100, .limit = std::chrono::milliseconds(1)});
  EXPECT_EQ(paced.runs(), 3U);
}

TEST(Measuring, SteadyRunsFollowEachOther) {
  Paced paced({20});
  const PieceTime time = measure_runs(paced, {},
                                      {.warm_up = 0,
                                       .repeats = 3,
                                       .pause = std::chrono::milliseconds(5),
                                       .steady = std::chrono::milliseconds(150)});
  EXPECT_GE(paced.runs(), 3U + 3U);
  EXPECT_LE(paced.runs(), 3U + 8U);
  EXPECT_GE(time.steady, 0.02);
  EXPECT_LT(paced.shortest_idle(), std::chrono::milliseconds(5));
}

// numpy.quantile of the same samples.
TEST(Quantiles, AreNumPysDefault) {
  const std::vector<double> samples = {4, 1, 3, 2};
  EXPECT_DOUBLE_EQ(quantile(samples, 0), 1);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.1), 1.3);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.5), 2.5);
  EXPECT_DOUBLE_EQ(quantile(samples, 0.9), 3.7);
  EXPECT_DOUBLE_EQ(quantile(samples, 1), 4);
  EXPECT_DOUBLE_EQ(median({5}), 5);
  EXPECT_ANY_THROW(median({}));
}

}  // namespace
}  // namespace lamina
