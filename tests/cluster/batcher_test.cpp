#include "cluster/batcher.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/head.h"
#include "cluster/scripted_orchestrator.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"
#include "slice/cuts.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <numeric>
#include <random>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::hours;
using std::chrono::milliseconds;
using std::chrono::seconds;

// x (batch, 2) and k (batch,) to y (batch, 2) = x · k and s (batch,) = the sum of a row of x.
Signature row_signature() {
  return {{{"x", {DType::f32, {kBatch, 2}}}, {"k", {DType::i64, {kBatch}}}},
          {{"y", {DType::f32, {kBatch, 2}}}, {"s", {DType::f32, {kBatch}}}}};
}

std::vector<std::int64_t> to_integers(const Tensor& tensor) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(tensor.elements()));
  std::copy_n(tensor.data().data(), tensor.data().size(), reinterpret_cast<std::byte*>(values.data()));
  return values;
}

std::vector<Tensor> compute_rows(const std::vector<Tensor>& inputs) {
  const std::vector<float> x = inputs.at(0).to_floats();
  const std::vector<std::int64_t> k = to_integers(inputs.at(1));
  std::vector<float> y;
  std::vector<float> s;
  for (std::size_t row = 0; row < k.size(); ++row) {
    y.push_back(x[2 * row] * static_cast<float>(k[row]));
    y.push_back(x[2 * row + 1] * static_cast<float>(k[row]));
    s.push_back(x[2 * row] + x[2 * row + 1]);
  }
  const auto rows = static_cast<std::int64_t>(k.size());
  return {Tensor::of({rows, 2}, y), Tensor::of({rows}, s)};
}

// Rows that differ from those of any other `first`, in whole numbers that floats keep exactly.
std::vector<Tensor> make_rows(std::int64_t rows, int first) {
  std::vector<float> x(static_cast<std::size_t>(2 * rows));
  std::iota(x.begin(), x.end(), static_cast<float>(first));
  std::vector<std::int64_t> k(static_cast<std::size_t>(rows));
  std::iota(k.begin(), k.end(), first % 7);
  return {Tensor::of({rows, 2}, x), Tensor::of({rows}, k)};
}

bool same(const std::vector<Tensor>& a, const std::vector<Tensor>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](const Tensor& left, const Tensor& right) {
    return left.type() == right.type() && std::ranges::equal(left.data().bytes(), right.data().bytes());
  });
}

void expect_rows(std::future<Prediction> future, const std::vector<Tensor>& inputs) {
  ASSERT_EQ(future.wait_for(seconds(30)), std::future_status::ready);
  const Prediction prediction = future.get();
  ASSERT_FALSE(prediction.error) << prediction.error->what();
  EXPECT_TRUE(same(prediction.outputs, compute_rows(inputs)));
}

void expect_error(std::future<Prediction> future, ErrorCode code, const std::string& named) {
  ASSERT_EQ(future.wait_for(seconds(30)), std::future_status::ready);
  const Prediction prediction = future.get();
  ASSERT_TRUE(prediction.error);
  EXPECT_EQ(prediction.error->code(), code) << prediction.error->what();
  EXPECT_NE(std::string(prediction.error->what()).find(named), std::string::npos) << prediction.error->what();
}

std::future<Prediction> send_to(Orchestrator& orchestrator, std::vector<Tensor> inputs,
                                Clock::duration limit = seconds(20), std::uint64_t* number = nullptr) {
  auto promise = std::make_shared<std::promise<Prediction>>();
  auto future = promise->get_future();
  const std::uint64_t request =
      orchestrator.predict(std::move(inputs), Deadline(limit),
                           [promise](Prediction prediction) { promise->set_value(std::move(prediction)); });
  if (number != nullptr) *number = request;
  return future;
}

class BatcherTest : public testing::Test {
 protected:
  void start(const BatcherOptions& options, ScriptedOrchestrator::Answer answer = compute_rows,
             int threads = 1) {
    pipeline_ = std::make_unique<ScriptedOrchestrator>(row_signature(), std::move(answer), threads);
    batcher_ = std::make_unique<Batcher>(*pipeline_, options);
  }

  std::future<Prediction> send(std::int64_t rows, int first, Clock::duration limit = seconds(20),
                               std::uint64_t* number = nullptr) {
    return send_to(*batcher_, make_rows(rows, first), limit, number);
  }

  // A request that keeps the pipeline busy, so that those after it gather.
  std::future<Prediction> occupy() {
    pipeline_->hold(true);
    auto first = send(1, 0);
    EXPECT_TRUE(pipeline_->wait_asked(1));
    return first;
  }

  std::unique_ptr<ScriptedOrchestrator> pipeline_;
  std::unique_ptr<Batcher> batcher_;
};

using Sizes = std::vector<std::int64_t>;

TEST_F(BatcherTest, ALoneRequestLeavesAtOnce) {
  start({.max_batch = 8, .window = hours(1)});
  for (int i = 0; i < 3; ++i) expect_rows(send(2, i), make_rows(2, i));
  EXPECT_EQ(pipeline_->batches(), (Sizes{2, 2, 2}));
}

TEST_F(BatcherTest, WhatGathersWhileThePipelineIsBusyLeavesTogetherAfterIt) {
  start({.max_batch = 8, .window = hours(1)});
  auto first = occupy();
  auto second = send(2, 10);
  auto third = send(1, 20);
  auto fourth = send(3, 30);
  pipeline_->hold(false);
  expect_rows(std::move(first), make_rows(1, 0));
  expect_rows(std::move(second), make_rows(2, 10));
  expect_rows(std::move(third), make_rows(1, 20));
  expect_rows(std::move(fourth), make_rows(3, 30));
  EXPECT_EQ(pipeline_->batches(), (Sizes{1, 6}));
}

TEST_F(BatcherTest, AFullBatchLeavesBeforeTheWindowAndLargeRequestsGoAloneInOrder) {
  start({.max_batch = 4, .window = hours(1)});
  auto first = occupy();
  std::vector<std::future<Prediction>> answers;
  const Sizes sizes = {3, 1, 2, 1, 2, 9, 1, 4};
  for (std::size_t i = 0; i < sizes.size(); ++i) answers.push_back(send(sizes[i], static_cast<int>(100 * i)));
  // 3 + 1, 2 + 1 for the next 2 does not fit, 2 for 9 does not fit, 9 alone, 1 for 4 does not fit, 4.
  const Sizes expected = {1, 4, 3, 2, 9, 1, 4};
  EXPECT_TRUE(pipeline_->wait_asked(expected.size()));
  EXPECT_EQ(pipeline_->batches(), expected);
  pipeline_->hold(false);
  for (std::size_t i = 0; i < sizes.size(); ++i)
    expect_rows(std::move(answers[i]), make_rows(sizes[i], static_cast<int>(100 * i)));
}

TEST_F(BatcherTest, ThatWhichIsNotFullLeavesAfterTheWindow) {
  constexpr milliseconds kWindow{100};
  start({.max_batch = 8, .window = kWindow});
  auto first = occupy();
  const Clock::time_point begin = Clock::now();
  auto second = send(1, 10);
  auto third = send(1, 20);
  ASSERT_TRUE(pipeline_->wait_asked(2));
  const Clock::duration waited = pipeline_->asked().back().time - begin;
  EXPECT_GE(waited, kWindow);
  EXPECT_LT(waited, seconds(5));
  EXPECT_EQ(pipeline_->batches(), (Sizes{1, 2}));
  pipeline_->hold(false);
  expect_rows(std::move(third), make_rows(1, 20));
}

TEST_F(BatcherTest, ShortDeadlinesCutTheWaitShort) {
  start({.max_batch = 8, .window = hours(1)});
  auto first = occupy();
  auto hurried = send(1, 10, seconds(2));
  ASSERT_TRUE(pipeline_->wait_asked(2));
  pipeline_->hold(false);
  expect_rows(std::move(hurried), make_rows(1, 10));
}

TEST_F(BatcherTest, ABatchHasTheLatestDeadlineAndEachRequestItsOwn) {
  start({.max_batch = 2, .window = hours(1)});
  auto first = occupy();
  const Clock::time_point begin = Clock::now();
  auto late = send(1, 10, milliseconds(150));
  auto patient = send(1, 20, seconds(20));
  ASSERT_TRUE(pipeline_->wait_asked(2));
  EXPECT_GT(pipeline_->asked()[1].deadline, begin + seconds(15));
  expect_error(std::move(late), ErrorCode::deadline_exceeded, "time limit");
  EXPECT_GE(Clock::now(), begin + milliseconds(150));
  EXPECT_LT(Clock::now(), begin + seconds(10));
  pipeline_->hold(false);
  expect_rows(std::move(patient), make_rows(1, 20));
}

TEST_F(BatcherTest, ADeadlineAlsoEndsARequestThatWaits) {
  start({.max_batch = 8, .window = hours(1)});
  auto first = occupy();  // else it would leave at once, and the batch might be what is late
  expect_error(send(1, 10, milliseconds(0)), ErrorCode::deadline_exceeded, "time limit");
}

TEST_F(BatcherTest, CancellingOneOfABatchLeavesTheOthers) {
  start({.max_batch = 2, .window = hours(1)});
  auto first = occupy();
  std::uint64_t number = 0;
  auto given_up = send(1, 10, seconds(20), &number);
  auto other = send(1, 20);
  ASSERT_TRUE(pipeline_->wait_asked(2));
  batcher_->cancel(number);
  expect_error(std::move(given_up), ErrorCode::cancelled, "cancelled");
  batcher_->cancel(number);  // says nothing new
  pipeline_->hold(false);
  expect_rows(std::move(other), make_rows(1, 20));
}

TEST_F(BatcherTest, ABatchThatAllGaveUpIsCancelled) {
  start({.max_batch = 2, .window = hours(1)});
  auto first = occupy();
  std::uint64_t one = 0;
  std::uint64_t two = 0;
  auto given_up = send(1, 10, seconds(20), &one);
  auto also_given_up = send(1, 20, seconds(20), &two);
  ASSERT_TRUE(pipeline_->wait_asked(2));
  batcher_->cancel(one);
  batcher_->cancel(two);
  expect_error(std::move(given_up), ErrorCode::cancelled, "cancelled");
  expect_error(std::move(also_given_up), ErrorCode::cancelled, "cancelled");
  EXPECT_TRUE(pipeline_->wait_cancelled(2));
}

TEST_F(BatcherTest, ACancelledRequestThatWaitsNeverLeaves) {
  start({.max_batch = 4, .window = hours(1)});
  auto first = occupy();
  std::uint64_t number = 0;
  auto given_up = send(2, 10, seconds(20), &number);
  auto other = send(1, 20);
  batcher_->cancel(number);
  expect_error(std::move(given_up), ErrorCode::cancelled, "cancelled");
  pipeline_->hold(false);
  expect_rows(std::move(other), make_rows(1, 20));
  EXPECT_EQ(pipeline_->batches(), (Sizes{1, 1}));
}

TEST_F(BatcherTest, AWrongInputFailsAlone) {
  start({.max_batch = 8, .window = hours(1)});
  auto first = occupy();
  auto right = send(1, 10);
  const std::array<float, 3> three{};
  expect_error(send_to(*batcher_, {Tensor::of({1, 3}, three), make_rows(1, 0)[1]}),
               ErrorCode::invalid_argument, "'x'");
  expect_error(send_to(*batcher_, {make_rows(2, 0)[0], make_rows(1, 0)[1]}), ErrorCode::invalid_argument,
               "batch of 1");
  expect_error(send_to(*batcher_, {}), ErrorCode::invalid_argument, "expected 2");
  pipeline_->hold(false);
  expect_rows(std::move(right), make_rows(1, 10));
  EXPECT_EQ(pipeline_->batches(), (Sizes{1, 1}));
}

TEST_F(BatcherTest, AnErrorOfTheBatchReachesEach) {
  start({.max_batch = 2, .window = hours(1)}, [](const std::vector<Tensor>& inputs) {
    if (inputs[0].shape()[0] > 1) fail(ErrorCode::out_of_memory, "worker 'pi': no memory");
    return compute_rows(inputs);
  });
  auto first = occupy();
  auto one = send(1, 10);
  auto two = send(1, 20);
  pipeline_->hold(false);
  expect_rows(std::move(first), make_rows(1, 0));
  expect_error(std::move(one), ErrorCode::out_of_memory, "'pi'");
  expect_error(std::move(two), ErrorCode::out_of_memory, "'pi'");
}

TEST_F(BatcherTest, AnAnswerThatCannotBeSplitIsAnError) {
  start({.max_batch = 2, .window = hours(1)}, [](const std::vector<Tensor>& inputs) {
    std::vector<Tensor> outputs = compute_rows(inputs);
    if (inputs[0].shape()[0] > 1) outputs[1] = compute_rows(make_rows(1, 0))[1];
    return outputs;
  });
  auto first = occupy();
  auto one = send(1, 10);
  auto two = send(1, 20);
  pipeline_->hold(false);
  expect_error(std::move(one), ErrorCode::internal, "'s'");
  expect_error(std::move(two), ErrorCode::internal, "expected float32 (2,)");
}

TEST_F(BatcherTest, MoreThanTheLimitIsRefused) {
  start({.max_batch = 8, .window = hours(1), .max_in_flight = 3});
  auto first = occupy();
  auto second = send(1, 10);
  std::uint64_t number = 0;
  auto third = send(1, 20, seconds(20), &number);
  expect_error(send(1, 30), ErrorCode::resource_exhausted, "no more are taken");
  batcher_->cancel(number);
  auto fourth = send(1, 40);
  pipeline_->hold(false);
  expect_rows(std::move(second), make_rows(1, 10));
  expect_rows(std::move(fourth), make_rows(1, 40));
}

TEST_F(BatcherTest, ItsEndAnswersAllThatIsLeft) {
  start({.max_batch = 2, .window = hours(1)});
  auto first = occupy();
  auto one = send(1, 10);
  auto two = send(1, 20);
  auto waiting = send(1, 30);
  ASSERT_TRUE(pipeline_->wait_asked(2));
  batcher_.reset();
  for (auto* future : {&first, &one, &two, &waiting}) {
    ASSERT_EQ(future->wait_for(seconds(0)), std::future_status::ready);
    expect_error(std::move(*future), ErrorCode::cancelled, "shut down");
  }
  EXPECT_TRUE(pipeline_->wait_cancelled(1));
  EXPECT_TRUE(pipeline_->wait_cancelled(2));
}

TEST_F(BatcherTest, ItsEndWaitsForACallbackUnderWay) {
  start({.max_batch = 2, .window = hours(1)});
  std::promise<void> entered;
  std::promise<void> let_go;
  std::atomic<bool> returned = false;
  batcher_->predict(make_rows(1, 0), Deadline(seconds(20)), [&](const Prediction&) {
    entered.set_value();
    let_go.get_future().wait();
    returned = true;
  });
  entered.get_future().wait();
  std::thread helper([&] { let_go.set_value(); });
  batcher_.reset();
  EXPECT_TRUE(returned);
  helper.join();
}

TEST_F(BatcherTest, ACallbackMayAskAgainEvenAtTheEnd) {
  start({.max_batch = 2, .window = hours(1)});
  pipeline_->hold(true);
  std::promise<Prediction> second;
  batcher_->predict(
      make_rows(1, 0), Deadline(seconds(20)), [&second, batcher = batcher_.get()](const Prediction&) {
        batcher->predict(make_rows(1, 1), Deadline(seconds(20)),
                         [&](Prediction prediction) { second.set_value(std::move(prediction)); });
      });
  ASSERT_TRUE(pipeline_->wait_asked(1));
  batcher_.reset();
  expect_error(second.get_future(), ErrorCode::cancelled, "shut down");
}

TEST_F(BatcherTest, TheStatusCountsRequestsAndSizesOfBatches) {
  start({.max_batch = 6, .window = hours(1)});
  auto first = occupy();
  auto second = send(2, 10);
  auto third = send(3, 20);
  EXPECT_EQ(batcher_->status().requests_in_flight, 3U);
  pipeline_->hold(false);
  expect_rows(std::move(second), make_rows(2, 10));
  expect_rows(std::move(third), make_rows(3, 20));
  expect_rows(send(7, 30), make_rows(7, 30));
  const PipelineStatus status = batcher_->check();
  EXPECT_EQ(status.model, "scripted");
  EXPECT_EQ(status.requests_in_flight, 0U);
  EXPECT_EQ(status.requests_answered, 4U);
  EXPECT_EQ(status.requests_failed, 0U);
  ASSERT_TRUE(status.batch_sizes);
  EXPECT_EQ(status.batch_sizes->bounds, (Sizes{1, 2, 4, 6}));
  EXPECT_EQ(status.batch_sizes->counts, (std::vector<std::uint64_t>{1, 0, 0, 1, 1}));
  EXPECT_EQ(status.batch_sizes->rows, 13U);
}

TEST_F(BatcherTest, ModelsWithoutABatchOnTheFirstAxisAreRefused) {
  const TensorType rows{DType::f32, {kBatch, 2}};
  for (const Shape& shape : {Shape{2}, Shape{}, Shape{2, kBatch}, Shape{-2, 2}, Shape{kBatch, kBatch}}) {
    const TensorType wrong{DType::f32, shape};
    for (const Signature& signature :
         {Signature{{{"a", rows}, {"b", wrong}}, {{"c", rows}}}, Signature{{{"a", rows}}, {{"b", wrong}}}}) {
      ScriptedOrchestrator pipeline(signature, compute_rows);
      try {
        const Batcher batcher(pipeline, {.max_batch = 2});
        FAIL() << to_string(shape) << " was taken";
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unsupported);
        EXPECT_NE(std::string(error.what()).find("'b'"), std::string::npos) << error.what();
      }
    }
  }
  ScriptedOrchestrator pipeline(row_signature(), compute_rows);
  EXPECT_THROW(Batcher(pipeline, {.max_batch = 0}), Error);
  EXPECT_THROW(Batcher(pipeline, {.max_batch = 1, .window = std::chrono::microseconds(-1)}), Error);
}

// Streams of requests from several threads, some cancelled, some with deadlines that pass, some wrong, over a
// pipeline that is fast, slow, or failing by chance.
struct Stream {
  unsigned seed = 0;
  std::int64_t max_batch = 1;
  std::chrono::microseconds window{};
};

// Whichever batch holds a row with this factor fails.
constexpr std::int64_t kPoison = 1000;

class BatcherStreams : public testing::TestWithParam<Stream> {};

TEST_P(BatcherStreams, EachRequestIsAnsweredOnceAndRightlyOrWithItsError) {
  constexpr int kThreads = 4;
  constexpr int kRequests = 250;
  constexpr milliseconds kSoon{3};
  // Far longer than all may take: who starved would not be answered before it.
  constexpr seconds kLate{60};
  const Stream stream = GetParam();
  ScriptedOrchestrator pipeline(
      row_signature(),
      [](const std::vector<Tensor>& inputs) {
        const std::vector<std::int64_t> factors = to_integers(inputs[1]);
        if (std::ranges::find(factors, kPoison) != factors.end())
          fail(ErrorCode::unavailable, "the worker was lost");
        return compute_rows(inputs);
      },
      3);
  pipeline.delay([&](std::uint64_t number) {
    std::mt19937 random(stream.seed + static_cast<unsigned>(number));
    return std::chrono::microseconds(random() % 4 == 0 ? random() % 4000 : random() % 300);
  });
  Batcher batcher(pipeline, {.max_batch = stream.max_batch, .window = stream.window, .max_in_flight = 200});

  struct Sent {
    std::vector<Tensor> inputs;
    bool wrong = false;
    bool cancelled = false;
    Clock::time_point deadline;
    Clock::time_point answered;
    std::thread::id sender;
    std::atomic<int> answers = 0;
    Prediction prediction;
  };
  std::vector<Sent> all(kThreads * kRequests);
  std::atomic<int> answered = 0;
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      std::mt19937 random(stream.seed * 100 + static_cast<unsigned>(t));
      std::vector<std::pair<std::uint64_t, Sent*>> mine;
      for (int i = 0; i < kRequests; ++i) {
        const int index = t * kRequests + i;
        Sent& sent = all[static_cast<std::size_t>(index)];
        const auto rows =
            static_cast<std::int64_t>(random() % 20 == 0 ? 1 + random() % 12 : 1 + random() % 3);
        sent.inputs = make_rows(rows, 30 * index);
        sent.wrong = random() % 30 == 0;
        if (sent.wrong) sent.inputs.pop_back();
        if (!sent.wrong && random() % 60 == 0)
          sent.inputs[1] =
              Tensor::of({rows}, std::vector<std::int64_t>(static_cast<std::size_t>(rows), kPoison));
        sent.sender = std::this_thread::get_id();
        const Deadline deadline =
            random() % 10 == 0 ? Deadline(random() % 2 == 0 ? kSoon : milliseconds(0)) : Deadline(kLate);
        sent.deadline = deadline.time();
        const std::uint64_t number = batcher.predict(sent.inputs, deadline, [&](Prediction prediction) {
          EXPECT_NE(std::this_thread::get_id(), sent.sender);
          sent.answered = Clock::now();
          sent.prediction = std::move(prediction);
          ++sent.answers;
          ++answered;
        });
        mine.emplace_back(number, &sent);
        if (random() % 8 == 0) {
          auto& [chosen, which] = mine[random() % mine.size()];
          which->cancelled = true;
          batcher.cancel(chosen);
        }
        if (random() % 5 == 0) std::this_thread::sleep_for(std::chrono::microseconds(random() % 1000));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  const Deadline patience(seconds(30));
  while (answered < kThreads * kRequests && !patience.passed()) std::this_thread::yield();
  ASSERT_EQ(answered, kThreads * kRequests) << "a request starved";

  std::map<ErrorCode, int> errors;
  int right = 0;
  for (const Sent& sent : all) {
    EXPECT_EQ(sent.answers, 1);
    if (!sent.prediction.error) {
      EXPECT_FALSE(sent.wrong);
      EXPECT_TRUE(same(sent.prediction.outputs, compute_rows(sent.inputs)));
      ++right;
      continue;
    }
    const ErrorCode code = sent.prediction.error->code();
    ++errors[code];
    EXPECT_EQ(sent.wrong, code == ErrorCode::invalid_argument) << sent.prediction.error->what();
    EXPECT_TRUE(code != ErrorCode::cancelled || sent.cancelled) << sent.prediction.error->what();
    if (code == ErrorCode::deadline_exceeded) {
      EXPECT_GE(sent.answered, sent.deadline);
      EXPECT_LT(sent.answered, sent.deadline + seconds(5));
    }
    EXPECT_TRUE(code == ErrorCode::invalid_argument || code == ErrorCode::cancelled ||
                code == ErrorCode::deadline_exceeded || code == ErrorCode::unavailable ||
                code == ErrorCode::resource_exhausted)
        << sent.prediction.error->what();
  }
  EXPECT_GT(right, kThreads * kRequests / 4);
  EXPECT_GT(errors[ErrorCode::cancelled], 0);
  EXPECT_GT(errors[ErrorCode::unavailable], 0);

  std::set<float> seen;
  for (const auto& asked : pipeline.asked()) {
    const std::vector<float> x = asked.inputs[0].to_floats();
    // A larger batch is one request, whose rows count on.
    if (asked.inputs[0].shape()[0] > stream.max_batch) {
      for (std::size_t i = 1; i < x.size(); ++i) EXPECT_EQ(x[i], x[i - 1] + 1);
    }
    for (const float value : x) EXPECT_TRUE(seen.insert(value).second) << "a row travelled twice";
  }
  const PipelineStatus status = batcher.status();
  EXPECT_EQ(status.requests_in_flight, 0U);
  EXPECT_EQ(status.requests_answered, static_cast<std::uint64_t>(right));
  EXPECT_EQ(status.requests_failed, static_cast<std::uint64_t>(kThreads * kRequests - right));
}

INSTANTIATE_TEST_SUITE_P(Random, BatcherStreams,
                         testing::Values(Stream{1, 1, std::chrono::microseconds(0)},
                                         Stream{2, 4, std::chrono::microseconds(0)},
                                         Stream{3, 8, std::chrono::microseconds(500)},
                                         Stream{4, 32, milliseconds(2)}, Stream{5, 8, hours(1)},
                                         Stream{6, 1000, milliseconds(5)}));

// Over real workers: relu(x + 1) · 2 in two stages.
TEST(BatcherPipeline, JoinedAnswersEqualSingleOnes) {
  Graph graph("steps");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 3}});
  const ValueId one = graph.add_weight("one", Tensor::scalar(1), Weight::Role::trainable);
  const ValueId two = graph.add_weight("two", Tensor::scalar(2), Weight::Role::trainable);
  graph.begin_layer("first", "Step");
  const ValueId positive = graph.add("relu", {graph.add("add", {x, one})});
  graph.begin_layer("second", "Slow");
  graph.add_output("y", graph.add("multiply", {positive, two}));
  const std::vector<Cut> cuts = find_cuts(graph);

  const TemporaryDirectory directory;
  std::vector<std::unique_ptr<WorkerServer>> workers;
  std::vector<HeadStage> stages;
  for (std::size_t i = 0; i < 2; ++i) {
    WorkerOptions worker;
    worker.name = "worker" + std::to_string(i);
    worker.store = directory.path() / worker.name;
    worker.loaded_engine = std::make_shared<FakeEngine>();
    workers.push_back(std::make_unique<WorkerServer>(worker));
    HeadStage stage;
    stage.name = graph.layers()[i].name;
    stage.replicas = {{worker.name, workers.back()->address()}};
    stage.graph = extract_stage(graph, cuts, i, i + 1);
    for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(content_hash(weight.data));
    stages.push_back(std::move(stage));
  }
  Head head(signature_of(graph), std::move(stages), {});
  head.start();

  std::mt19937 random(7);
  std::uniform_real_distribution<float> values(-5, 5);
  std::vector<Tensor> inputs;
  for (const std::int64_t rows : {1, 2, 1, 3, 1, 9, 2, 1, 1, 4}) {
    std::vector<float> floats(static_cast<std::size_t>(3 * rows));
    for (float& value : floats) value = values(random);
    inputs.push_back(Tensor::of({rows, 3}, floats));
  }
  std::vector<std::future<Prediction>> singles;
  for (const Tensor& input : inputs) singles.push_back(send_to(head, {input}));
  std::vector<Prediction> expected;
  for (auto& single : singles) {
    expected.push_back(single.get());
    ASSERT_FALSE(expected.back().error) << expected.back().error->what();
  }

  Batcher batcher(head, {.max_batch = 8, .window = hours(1)});
  std::vector<std::future<Prediction>> joined;
  for (const Tensor& input : inputs) joined.push_back(send_to(batcher, {input}));
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const Prediction prediction = joined[i].get();
    ASSERT_FALSE(prediction.error) << prediction.error->what();
    EXPECT_TRUE(same(prediction.outputs, expected[i].outputs));
  }
  const BatchSizes sizes = batcher.status().batch_sizes.value();
  EXPECT_LT(std::accumulate(sizes.counts.begin(), sizes.counts.end(), std::uint64_t{0}), inputs.size());
  EXPECT_EQ(sizes.rows, 25U);
}

}  // namespace
}  // namespace lamina
