// Stages that run side by side: a request forks, its parts meet again, and what fails on one way frees the
// others.
#include "base/error.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/head.h"
#include "cluster/part_collector.h"
#include "cluster/send.h"
#include "cluster/worker_client.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"

#include <array>
#include <atomic>
#include <future>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// out = what a layer of this class makes of one input or two: x + 1, or x · 2 + y.
Graph make_step(const std::string& name, const std::string& kind, std::size_t inputs) {
  Graph graph(name);
  const TensorType type{DType::f32, {kBatch, 4}};
  const ValueId x = graph.add_input("x", type);
  const ValueId y = inputs > 1 ? graph.add_input("y", type) : x;
  const ValueId number =
      graph.add_weight("number", Tensor::scalar(inputs > 1 ? 2 : 1), Weight::Role::constant);
  graph.begin_layer(name, kind);
  graph.add_output("out", inputs > 1 ? graph.add("add", {graph.add("multiply", {x, number}), y})
                                     : graph.add("add", {x, number}));
  return graph;
}

struct Step {
  std::string kind = "Step";
  std::vector<TensorSource> sources;
  std::vector<double> shares = {1};
};

Tensor batch_of(float first) {
  const std::array values = {first, first + 1, first + 2, first + 3};
  return Tensor::of({1, 4}, values);
}

class Branches : public testing::Test {
 protected:
  void start(const std::vector<Step>& steps, std::size_t inputs = 1, HeadOptions options = {}) {
    const TensorType type{DType::f32, {kBatch, 4}};
    Signature signature;
    for (std::size_t i = 0; i < inputs; ++i) signature.inputs.push_back({"x" + std::to_string(i), type});
    const std::size_t answers = options.sources.empty() ? 1 : options.sources.size();
    for (std::size_t i = 0; i < answers; ++i) signature.outputs.push_back({"y" + std::to_string(i), type});
    std::vector<HeadStage> stages;
    for (const Step& step : steps) {
      HeadStage stage;
      stage.name = "step" + std::to_string(stages.size());
      for (const double share : step.shares) {
        start_worker();
        stage.replicas.push_back(
            {"worker" + std::to_string(workers_.size() - 1), workers_.back()->address(), share});
      }
      stage.graph = make_step(stage.name, step.kind, std::max<std::size_t>(step.sources.size(), 1));
      for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(content_hash(weight.data));
      stage.sources = step.sources;
      stages.push_back(std::move(stage));
    }
    head_ = std::make_unique<Head>(signature, std::move(stages), options);
    head_->start();
  }

  void start_worker() {
    WorkerOptions options;
    options.name = "worker" + std::to_string(workers_.size());
    options.store = directory_.path() / options.name;
    options.loaded_engine = std::make_shared<FakeEngine>();
    workers_.push_back(std::make_unique<WorkerServer>(options));
  }

  std::future<Prediction> send(std::vector<Tensor> inputs, milliseconds limit = seconds(20),
                               std::uint64_t* number = nullptr) {
    return send_to(*head_, std::move(inputs), limit, number);
  }

  // The first value of each answer.
  static std::vector<float> firsts(std::future<Prediction> future) {
    if (future.wait_for(seconds(30)) != std::future_status::ready) return {-1};
    const Prediction prediction = future.get();
    EXPECT_FALSE(prediction.error) << prediction.error->what();
    std::vector<float> values;
    for (const Tensor& output : prediction.outputs) values.push_back(output.to_floats().front());
    return values;
  }

  static Error error_of(std::future<Prediction> future) {
    if (future.wait_for(seconds(30)) != std::future_status::ready)
      return Error(ErrorCode::internal, "no answer came");
    const Prediction prediction = future.get();
    return prediction.error.value_or(Error(ErrorCode::internal, "it was answered"));
  }

  TemporaryDirectory directory_;
  std::vector<std::unique_ptr<WorkerServer>> workers_;
  std::unique_ptr<Head> head_;
};

constexpr std::size_t kRequest = TensorSource::kRequest;

// One stage, two beside each other, one where they meet: 2(x + 1 + 1) + (x + 1 + 1).
std::vector<Step> diamond(const std::string& left, const std::string& right) {
  return {{"Step", {{kRequest, 0}}}, {left, {{0, 0}}}, {right, {{0, 0}}}, {"Step", {{1, 0}, {2, 0}}}};
}

TEST_F(Branches, MeetAgain) {
  start(diamond("Step", "Step"));
  EXPECT_EQ(firsts(send({batch_of(10)})), std::vector<float>{36});
  const PipelineStatus status = head_->check();
  for (const StageStatus& stage : status.stages) {
    EXPECT_TRUE(stage.ready) << stage.error;
    EXPECT_GT(stage.measured_seconds, 0) << stage.worker;
  }
  EXPECT_EQ(status.stages[0].forward_address, workers_[1]->address() + "," + workers_[2]->address());
}

TEST_F(Branches, TheOrderOfInputsIsTheReceivers) {
  start({{"Step", {{kRequest, 0}}},
         {"Step", {{0, 0}}},
         {"Step", {{1, 0}, {0, 0}}},
         {"Step", {{0, 0}, {2, 0}}}});
  // a = x + 1, b = a + 1, c = 2b + a, y = 2a + c.
  EXPECT_EQ(firsts(send({batch_of(0)})), std::vector<float>{2 + (2 * 2 + 1)});
}

TEST_F(Branches, RequestsEnterAndAnswersLeaveAtSeveralStages) {
  HeadOptions options;
  options.sources = {{1, 0}, {0, 0}, {2, 0}};
  start({{"Step", {{kRequest, 1}}}, {"Slow", {{kRequest, 0}}}, {"Step", {{0, 0}, {kRequest, 0}}}}, 2,
        options);
  EXPECT_EQ(firsts(send({batch_of(10), batch_of(20)})), (std::vector<float>{11, 21, 52}));
}

TEST_F(Branches, ManyRequestsEachGetTheirOwnAnswer) {
  start(diamond("Step", "Step"), 1, {.max_in_flight = 1000, .stage_queue = 2});
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::pair<float, std::future<Prediction>>> sent;
      for (int i = 0; i < 100; ++i) {
        const auto first = static_cast<float>(1000 * t + i);
        sent.emplace_back(first, send({batch_of(first)}));
      }
      for (auto& [first, future] : sent)
        if (firsts(std::move(future)) == std::vector<float>{3 * (first + 2)}) ++right;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
}

TEST_F(Branches, ReplicasShareABranch) {
  std::vector<Step> steps = diamond("Step", "Step");
  steps[1].shares = {0.5, 0.3, 0.2};
  start(steps, 1, {.max_in_flight = 1000, .stage_queue = 1});
  std::vector<std::future<Prediction>> sent;
  for (int i = 0; i < 200; ++i) sent.push_back(send({batch_of(static_cast<float>(i))}));
  for (int i = 0; i < 200; ++i)
    EXPECT_EQ(firsts(std::move(sent[static_cast<std::size_t>(i)])),
              std::vector<float>{3 * (static_cast<float>(i) + 2)});
  for (const StageStatus& stage : head_->status().stages)
    EXPECT_GT(stage.measured_seconds, 0) << stage.worker << " had nothing to do";
}

TEST_F(Branches, ReplicasOfAStageWhereBranchesMeetAreRefused) {
  std::vector<Step> steps = diamond("Step", "Step");
  steps[3].shares = {0.5, 0.5};
  try {
    start(steps);
    FAIL() << "a request's parts may have met in different places";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported);
    EXPECT_NE(std::string(error.what()).find("'step3'"), std::string::npos) << error.what();
  }
}

TEST_F(Branches, RoutesThatAreNoneAreRefused) {
  const std::vector<std::vector<Step>> wrong = {
      {{"Step", {{0, 0}}}},                                                 // from itself
      {{"Step", {{kRequest, 1}}}},                                          // an input that is not there
      {{"Step", {{kRequest, 0}}}, {"Step", {{0, 1}}}},                      // an output that is not there
      {{"Step", {{kRequest, 0}}}, {"Step", {{kRequest, 0}}}},               // a stage nobody wants
      {{"Step", {{kRequest, 0}}}, {"Step", {{2, 0}}}, {"Step", {{0, 0}}}},  // from a later one
  };
  for (const auto& steps : wrong) EXPECT_THROW(start(steps), Error);
  HeadOptions options;
  options.sources = {{0, 0}, {kRequest, 0}};
  EXPECT_THROW(start({{"Step", {{kRequest, 0}}}}, 1, options), Error);
}

TEST_F(Branches, AWorkerThatEndsFailsWhatIsUnderWayAndIsNamed) {
  start(diamond("Step", "Slow"), 1, {.heartbeat = {.interval = milliseconds(100)}});
  std::vector<std::future<Prediction>> under_way;
  for (int i = 0; i < 5; ++i) under_way.push_back(send({batch_of(0)}));
  workers_[2].reset();
  const Error lost = error_of(std::move(under_way.back()));
  EXPECT_EQ(lost.code(), ErrorCode::unavailable) << lost.what();
  EXPECT_NE(head_->check().stages[2].error.find("worker2"), std::string::npos);
  // The others are well: a worker in the lost one's place, and all goes on.
  EXPECT_TRUE(head_->status().stages[1].ready);
}

TEST_F(Branches, AnErrorOfOneBranchIsTheRequestsAndOthersGoOn) {
  // Fails for requests of more than one row, and not when it is loaded.
  start(diamond("Step", "OnlyOne"), 1, {.stage_queue = 1});
  const std::array<float, 8> two{};
  for (int i = 0; i < 20; ++i) {
    const Error error = error_of(send({Tensor::of({2, 4}, two)}));
    EXPECT_EQ(error.code(), ErrorCode::out_of_memory) << error.what();
    EXPECT_NE(std::string(error.what()).find("worker2"), std::string::npos) << error.what();
    EXPECT_EQ(firsts(send({batch_of(1)})), std::vector<float>{9});
  }
}

TEST_F(Branches, CancelledAndLateRequestsLeaveRoomForOthers) {
  start(diamond("Step", "Slow"), 1, {.stage_queue = 1});
  for (int i = 0; i < 3; ++i) {
    std::uint64_t number = 0;
    auto cancelled = send({batch_of(0)}, seconds(20), &number);
    auto late = send({batch_of(0)}, milliseconds(30));
    head_->cancel(number);
    EXPECT_EQ(error_of(std::move(cancelled)).code(), ErrorCode::cancelled);
    EXPECT_EQ(error_of(std::move(late)).code(), ErrorCode::deadline_exceeded);
  }
  EXPECT_EQ(firsts(send({batch_of(1)})), std::vector<float>{9});
}

// --- the collector alone ---

Frame part_of(std::uint64_t request, std::uint32_t part, float value, std::vector<std::uint32_t> slots) {
  Frame frame;
  frame.header.set_request(request);
  frame.header.set_part(part);
  for (const std::uint32_t slot : slots) {
    frame.header.add_slots(slot);
    frame.header.add_stage_seconds(slot);
  }
  frame.tensors.push_back(narrow(batch_of(value), WireFormat::f32));
  return frame;
}

TEST(PartCollector, PutsTensorsInTheirPlacesAndCountsEachStageOnce) {
  PartCollector collector({{1}, {0}}, 4);
  EXPECT_FALSE(collector.add(part_of(7, 1, 20, {1, 3}), Deadline(seconds(9))));
  EXPECT_EQ(collector.waiting(), 1U);
  const auto whole = collector.add(part_of(7, 0, 10, {1, 2}), Deadline(seconds(9)));
  ASSERT_TRUE(whole);
  EXPECT_EQ(widen(whole->frame.tensors[0]).to_floats().front(), 20);
  EXPECT_EQ(widen(whole->frame.tensors[1]).to_floats().front(), 10);
  EXPECT_EQ(whole->frame.header.slots_size(), 3);
  EXPECT_EQ(collector.waiting(), 0U);
}

TEST(PartCollector, RefusesPartsThatAreNone) {
  PartCollector collector({{0}, {1}}, 4);
  EXPECT_THROW(collector.add(part_of(1, 2, 0, {}), Deadline(seconds(9))), Error);
  Frame empty = part_of(1, 0, 0, {});
  empty.tensors.clear();
  EXPECT_THROW(collector.add(empty, Deadline(seconds(9))), Error);
  collector.add(part_of(1, 0, 0, {}), Deadline(seconds(9)));
  EXPECT_THROW(collector.add(part_of(1, 0, 0, {}), Deadline(seconds(9))), Error);
}

TEST(PartCollector, HoldsABoundedNumberAndFreesWhatIsLateOrDropped) {
  PartCollector collector({{0}, {1}}, 2);
  collector.add(part_of(1, 0, 0, {}), Deadline(milliseconds(30)));
  collector.add(part_of(2, 0, 0, {}), Deadline(seconds(20)));
  // Waits for room until the first is late.
  EXPECT_FALSE(collector.add(part_of(3, 0, 0, {}), Deadline(seconds(20))));
  EXPECT_EQ(collector.waiting(), 2U);
  // One that is late itself is not kept.
  EXPECT_FALSE(collector.add(part_of(4, 0, 0, {}), Deadline(milliseconds(20))));
  EXPECT_EQ(collector.waiting(), 2U);
  // An older one is let in, else those that wait for room could keep back what makes it.
  EXPECT_FALSE(collector.add(part_of(1, 0, 0, {}), Deadline(seconds(20))));
  EXPECT_EQ(collector.waiting(), 3U);
  for (const std::uint64_t request : {1, 2, 3}) collector.drop(request);
  EXPECT_EQ(collector.waiting(), 0U);
  std::thread waits([&] {
    collector.add(part_of(5, 0, 0, {}), Deadline(seconds(20)));
    collector.add(part_of(6, 0, 0, {}), Deadline(seconds(20)));
    collector.add(part_of(7, 0, 0, {}), Deadline(seconds(20)));
  });
  collector.close();
  waits.join();
}

}  // namespace
}  // namespace lamina
