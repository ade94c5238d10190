// Workers and a head in one process, over real connections of the loopback.
#include "base/error.h"
#include "base/file.h"
#include "cluster/data_path.h"
#include "cluster/fake_engine.h"
#include "cluster/head.h"
#include "cluster/listener.h"
#include "cluster/send.h"
#include "cluster/worker_client.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"
#include "slice/cuts.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <future>
#include <memory>
#include <numeric>
#include <optional>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// y = (…((x + 1) · 2 + 1) · 2 …), z = x passing by all stages: a layer a step, of the class given.
Graph make_graph(const std::vector<std::string>& classes) {
  Graph graph("steps");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 4}});
  ValueId y = x;
  const ValueId one = graph.add_weight("one", Tensor::scalar(1), Weight::Role::trainable);
  const ValueId two = graph.add_weight("two", Tensor::scalar(2), Weight::Role::trainable);
  for (std::size_t i = 0; i < classes.size(); ++i) {
    graph.begin_layer("step" + std::to_string(i), classes[i]);
    y = graph.add("multiply", {graph.add("add", {y, one}), two});
  }
  graph.add_output("y", y);
  graph.add_output("z", x);
  return graph;
}

float expected(float x, std::size_t steps) {
  for (std::size_t i = 0; i < steps; ++i) x = (x + 1) * 2;
  return x;
}

Tensor batch_of(std::int64_t batch, float first) {
  std::vector<float> values(static_cast<std::size_t>(batch * 4));
  std::iota(values.begin(), values.end(), first);
  return Tensor::of({batch, 4}, values);
}

class Pipeline : public testing::Test {
 protected:
  // A worker a stage, one layer each, or as many replicas as shares_ says. Frames come into stages in wires_,
  // f32 beyond its end.
  void start(const std::vector<std::string>& classes, HeadOptions options = {}, const TlsFiles& tls = {}) {
    graph_ = make_graph(classes);
    const std::vector<Cut> cuts = find_cuts(graph_);
    std::vector<HeadStage> stages;
    for (std::size_t i = 0; i < classes.size(); ++i) {
      HeadStage stage;
      stage.name = "step" + std::to_string(i);
      const std::vector<double> shares = i < shares_.size() ? shares_[i] : std::vector<double>{1};
      for (const double share : shares) {
        const std::string name = "worker" + std::to_string(workers_.size());
        start_worker(tls);
        stage.replicas.push_back({name, workers_.back()->address(), share});
      }
      if (i < wires_.size()) stage.wire = wires_[i];
      stage.graph = extract_stage(graph_, cuts, i, i + 1);
      for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(content_hash(weight.data));
      stages.push_back(std::move(stage));
    }
    options.tls = tls;
    head_ = std::make_unique<Head>(signature_of(graph_), std::move(stages), options);
    head_->start();
  }

  void start_worker(const TlsFiles& tls) {
    WorkerOptions options;
    options.name = "worker" + std::to_string(workers_.size());
    options.store = directory_.path() / options.name;
    options.loaded_engine = std::make_shared<FakeEngine>();
    options.tls = tls;
    workers_.push_back(std::make_unique<WorkerServer>(options));
  }

  std::future<Prediction> send(std::vector<Tensor> inputs, milliseconds limit = seconds(20),
                               std::uint64_t* number = nullptr) {
    return send_to(*head_, std::move(inputs), limit, number);
  }

  void expect_answer(const Prediction& prediction, const Tensor& input, std::size_t steps) {
    ASSERT_FALSE(prediction.error) << prediction.error->what();
    ASSERT_EQ(prediction.outputs.size(), 2U);
    const std::vector<float> x = input.to_floats();
    const std::vector<float> y = prediction.outputs[0].to_floats();
    ASSERT_EQ(y.size(), x.size());
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_EQ(y[i], expected(x[i], steps));
    EXPECT_EQ(prediction.outputs[1].to_floats(), x);
  }

  void expect_error(std::future<Prediction> future, ErrorCode code, const std::string& named) {
    ASSERT_EQ(future.wait_for(seconds(30)), std::future_status::ready);
    const Prediction prediction = future.get();
    ASSERT_TRUE(prediction.error);
    EXPECT_EQ(prediction.error->code(), code) << prediction.error->what();
    EXPECT_NE(std::string(prediction.error->what()).find(named), std::string::npos)
        << prediction.error->what();
  }

  TemporaryDirectory directory_;
  std::vector<WireFormat> wires_;
  std::vector<std::vector<double>> shares_;  // of the replicas, by stage
  Graph graph_;
  std::vector<std::unique_ptr<WorkerServer>> workers_;
  std::unique_ptr<Head> head_;
};

TEST_F(Pipeline, ReplicasShareTheRequestsOfAStage) {
  shares_ = {{0.75, 0.25}, {1}, {0.4, 0.3, 0.3}};
  start({"Step", "Step", "Step"});
  std::vector<std::pair<Tensor, std::future<Prediction>>> answers;
  for (int i = 0; i < 40; ++i) {
    const Tensor input = batch_of(2, static_cast<float>(i));
    answers.emplace_back(input, send({input}));
  }
  for (auto& [input, answer] : answers) {
    ASSERT_EQ(answer.wait_for(seconds(30)), std::future_status::ready);
    expect_answer(answer.get(), input, 3);
  }
  const PipelineStatus status = head_->check();
  ASSERT_EQ(status.stages.size(), 6U);
  for (const StageStatus& place : status.stages) {
    EXPECT_TRUE(place.ready) << place.worker << ": " << place.error;
    EXPECT_GT(place.measured_seconds, 0) << place.worker << " had nothing to do";
  }
  EXPECT_EQ(status.stages[0].forward_address, workers_[2]->address());
}

TEST_F(Pipeline, SharesThatAreNoneAreRefused) {
  shares_ = {{1}, {0.5, 0.2}};
  EXPECT_THROW(start({"Step", "Step"}), Error);
  workers_.clear();
  shares_ = {{1}, {2, -1}};
  EXPECT_THROW(start({"Step", "Step"}), Error);
}

TEST_F(Pipeline, AnswersThroughOneToFourStages) {
  for (std::size_t stages = 1; stages <= 4; ++stages) {
    head_.reset();
    workers_.clear();
    start(std::vector<std::string>(stages, "Step"));
    const Tensor input = batch_of(3, 0.5F);
    expect_answer(send({input}).get(), input, stages);
  }
}

TEST_F(Pipeline, BatchesOfAnySizeMayFollowEachOther) {
  start({"Step", "Step"});
  for (const std::int64_t batch : {1, 7, 1000, 2}) {
    const Tensor input = batch_of(batch, 1);
    expect_answer(send({input}).get(), input, 2);
  }
}

TEST_F(Pipeline, ManyRequestsFromManyThreadsEachGetTheirOwnAnswer) {
  start({"Step", "Step", "Step"}, {.max_in_flight = 1000, .stage_queue = 2});
  std::vector<std::thread> threads;
  std::atomic<int> right = 0;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      std::vector<std::pair<Tensor, std::future<Prediction>>> sent;
      for (int i = 0; i < 100; ++i) {
        const Tensor input = batch_of(1 + i % 3, static_cast<float>(1000 * t + i));
        sent.emplace_back(input, send({input}));
      }
      for (auto& [input, future] : sent) {
        const Prediction prediction = future.get();
        if (!prediction.error && prediction.outputs[0].to_floats()[0] == expected(input.to_floats()[0], 3))
          ++right;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(right, 400);
  EXPECT_EQ(head_->status().requests_answered, 400U);
  EXPECT_EQ(head_->status().requests_in_flight, 0U);
}

TEST_F(Pipeline, WrongInputsAreRefusedBeforeTheyTravel) {
  start({"Step"});
  expect_error(send({}), ErrorCode::invalid_argument, "expected 1");
  const std::array<float, 3> three{};
  expect_error(send({Tensor::of({1, 3}, three)}), ErrorCode::invalid_argument, "'x'");
}

TEST_F(Pipeline, AStagesErrorNamesTheWorkerAndKeepsItsCode) {
  start({"Step", "Step"});
  head_.reset();
  workers_.clear();
  // Loading runs a stage once, so one that always fails is found there.
  try {
    start({"Step", "OutOfMemory"});
    FAIL() << "a stage without memory was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::out_of_memory);
    EXPECT_NE(std::string(error.what()).find("worker1"), std::string::npos) << error.what();
  }
}

TEST_F(Pipeline, ARequestPastItsDeadlineIsAnsweredInTime) {
  start({"Slow", "Step"});
  // The answer itself would come after 200 ms.
  expect_error(send({batch_of(1, 0)}, milliseconds(50)), ErrorCode::deadline_exceeded, "time limit");
}

TEST_F(Pipeline, ACancelledRequestIsAnsweredAtOnceAndOthersGoOn) {
  start({"Slow", "Step"});
  std::uint64_t number = 0;
  auto cancelled = send({batch_of(1, 0)}, seconds(20), &number);
  auto other = send({batch_of(1, 5)});
  head_->cancel(number);
  expect_error(std::move(cancelled), ErrorCode::cancelled, "cancelled");
  expect_answer(other.get(), batch_of(1, 5), 2);
}

TEST_F(Pipeline, MoreThanTheLimitIsRefused) {
  start({"Slow"}, {.max_in_flight = 3});
  std::vector<std::future<Prediction>> taken;
  for (int i = 0; i < 3; ++i) taken.push_back(send({batch_of(1, 0)}));
  expect_error(send({batch_of(1, 0)}), ErrorCode::resource_exhausted, "no more are taken");
  for (auto& future : taken) EXPECT_FALSE(future.get().error);
}

TEST_F(Pipeline, AWorkerThatEndsFailsWhatIsUnderWayAndIsNamed) {
  start({"Step", "Slow", "Step"}, {.heartbeat = {.interval = milliseconds(100)}});
  // The worker may still finish the first; those that wait are lost with it.
  std::vector<std::future<Prediction>> under_way;
  for (int i = 0; i < 5; ++i) under_way.push_back(send({batch_of(1, 0)}));
  workers_[1].reset();
  expect_error(std::move(under_way.back()), ErrorCode::unavailable, "worker");
  const PipelineStatus status = head_->check();
  EXPECT_FALSE(status.stages[1].ready);
  EXPECT_NE(status.stages[1].error.find("worker1"), std::string::npos) << status.stages[1].error;
  expect_error(send({batch_of(1, 0)}), ErrorCode::unavailable, "not ready");
}

TEST_F(Pipeline, StatusTellsWhatRunsWhere) {
  start({"Step", "Step"}, {.model = "steps", .predicted_latency = 0.5});
  send({batch_of(1, 0)}).wait();
  const PipelineStatus status = head_->check();
  EXPECT_EQ(status.model, "steps");
  ASSERT_EQ(status.stages.size(), 2U);
  EXPECT_TRUE(status.stages[0].ready && status.stages[0].connected);
  EXPECT_EQ(status.stages[0].forward_address, workers_[1]->address());
  EXPECT_GT(status.stages[1].measured_seconds, 0);
}

TEST_F(Pipeline, ARestartedWorkerFindsItsWeightsOnDisk) {
  start_worker({});
  const Graph graph = make_graph({"Step"});
  std::vector<std::string> hashes;
  for (const Weight& weight : graph.weights()) hashes.push_back(content_hash(weight.data));
  WorkerClient(workers_[0]->address(), {}).load(graph, hashes, {});
  const auto blob = directory_.path() / "worker0" / hashes[0];
  EXPECT_TRUE(std::filesystem::exists(blob));
  workers_.clear();
  // One that was damaged meanwhile is fetched again, not used.
  std::filesystem::permissions(blob, std::filesystem::perms::owner_all);
  write_file(blob, "bad!");
  start_worker({});
  EXPECT_NO_THROW(WorkerClient(workers_[0]->address(), {}).load(graph, hashes, {}));
  EXPECT_EQ(read_file(blob, 100).size(), 4U);
  EXPECT_NE(read_file(blob, 100), "bad!");
}

TEST_F(Pipeline, AWorkerRefusesStagesWithoutTheirWeights) {
  start_worker({});
  const Graph graph = make_graph({"Step"});
  std::vector<std::string> wrong(graph.weights().size(), std::string(64, 'a'));
  try {
    WorkerClient(workers_[0]->address(), {}).load(graph, wrong, {});
    FAIL() << "weights of another hash were taken";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::corrupt) << error.what();
  }
}

TEST_F(Pipeline, LinksAreMeasuredOverTheTransportThatServes) {
  start_worker({});
  start_worker({});
  const auto [link, messages] = WorkerClient(workers_[0]->address(), {})
                                    .measure_link(workers_[1]->address(), 20, 0.05, milliseconds(1));
  EXPECT_GT(link.round_trip_min, 0);
  EXPECT_LE(link.round_trip_min, link.round_trip_mean);
  EXPECT_LE(link.round_trip_mean, link.round_trip_max);
  EXPECT_GT(link.bandwidth, 1e6);
  // Both ends are in this process, which has to copy the bytes at least.
  EXPECT_GT(messages.send, 0);
  EXPECT_GT(messages.receive, 0);
  EXPECT_GT(messages.send_byte, 1e-12);
  EXPECT_GT(messages.receive_byte, 1e-12);
  EXPECT_LT(messages.receive_byte, 1e-6);
}

// Half of them zero.
Tensor sparse_batch(std::int64_t batch) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  std::vector<float> values(static_cast<std::size_t>(batch * 4));
  for (float& value : values) value = std::max(normal(random), 0.0F);
  return Tensor::of({batch, 4}, values);
}

// What a hop may change values from 0 to `greatest` by: half a unit in the last place of 8 or 11 bits, half
// of 1/255 of a block's range, nothing; and what float32 rounds.
double lost_in_a_hop(WireFormat format, double greatest) {
  switch (format) {
    case WireFormat::bf16:
      return greatest / 256;
    case WireFormat::f16:
      return greatest / 2048;
    case WireFormat::int8:
      return greatest / 510 * 1.001;
    case WireFormat::f32:
    case WireFormat::lz4:
      break;
  }
  return 0;
}

double greatest_difference(const std::vector<float>& a, const std::vector<float>& b) {
  double difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i)
    difference = std::max(difference, std::fabs(static_cast<double>(a[i]) - b[i]));
  return difference;
}

TEST_F(Pipeline, AnswersInEveryWireFormatAsFarAsItCan) {
  for (const WireFormat format :
       {WireFormat::f32, WireFormat::bf16, WireFormat::f16, WireFormat::int8, WireFormat::lz4}) {
    SCOPED_TRACE(to_string(format));
    head_.reset();
    workers_.clear();
    wires_.assign(3, format);
    start({"Step", "Step", "Step"}, {.return_wire = format});
    for (const std::int64_t batch : {1, 7, 1000}) {
      const Tensor input = sparse_batch(batch);
      const Prediction prediction = send({input}).get();
      const std::vector<float> x = input.to_floats();
      double greatest = *std::max_element(x.begin(), x.end());
      double y_may_lose = lost_in_a_hop(format, greatest);
      const double z_may_lose = 4 * y_may_lose;
      std::vector<float> right = x;
      for (int step = 0; step < 3; ++step) {
        for (float& value : right) value = (value + 1) * 2;
        greatest = (greatest + 1) * 2 + y_may_lose;
        y_may_lose = 2 * y_may_lose + lost_in_a_hop(format, greatest);
      }
      ASSERT_FALSE(prediction.error) << prediction.error->what();
      ASSERT_EQ(prediction.outputs.size(), 2U);
      ASSERT_EQ(prediction.outputs[0].type(), input.type());
      const double y_loses = greatest_difference(prediction.outputs[0].to_floats(), right);
      EXPECT_LE(y_loses, y_may_lose);
      EXPECT_LE(greatest_difference(prediction.outputs[1].to_floats(), x), z_may_lose);
      // Something is lost, so it did travel narrow.
      if (y_may_lose > 0 && batch > 1) {
        EXPECT_GT(y_loses, 0);
      }
    }
  }
}

TEST_F(Pipeline, EachHopHasAWireFormatOfItsOwn) {
  start({"Step", "Step"}, {.return_wire = WireFormat::bf16});
  const float fine = 1 + 0x1p-20F;  // bf16 has no such number
  const std::array values = {fine, fine, fine, fine};
  EXPECT_EQ(send({Tensor::of({1, 4}, values)}).get().outputs[1].to_floats(), std::vector(4, 1.0F));
  head_.reset();
  workers_.clear();
  wires_ = {WireFormat::f32, WireFormat::bf16};
  start({"Step", "Step"});
  EXPECT_EQ(send({Tensor::of({1, 4}, values)}).get().outputs[1].to_floats(), std::vector(4, 1.0F));
  head_.reset();
  workers_.clear();
  wires_ = {WireFormat::bf16, WireFormat::f32};
  start({"Step", "Step"});
  EXPECT_EQ(send({Tensor::of({1, 4}, values)}).get().outputs[1].to_floats(), std::vector(4, 1.0F));
}

// A worker between a sender and a receiver that are no head.
TEST_F(Pipeline, ATensorThatCantBeWidenedFailsItsRequestAndOthersGoOn) {
  start_worker({});
  const Graph graph = make_graph({"Step"});
  std::vector<std::string> hashes;
  for (const Weight& weight : graph.weights()) hashes.push_back(content_hash(weight.data));
  WorkerClient client(workers_[0]->address(), {});

  std::array<std::promise<Frame>, 2> arrived;
  std::size_t count = 0;
  DataService service([&](Frame frame) { arrived.at(count++).set_value(std::move(frame)); }, 1U << 20U);
  const Listener listener = listen_at("127.0.0.1:0", {}, 1U << 20U, {&service}, "the receiver");
  v1::ConnectRequest request;
  request.set_pipeline(5);
  request.set_slot(1);
  request.set_stage(client.load(graph, hashes, {}));
  v1::Consumer& consumer = *request.add_consumers();
  consumer.add_outputs(0);
  consumer.add_outputs(1);
  v1::NextPlace& next = *consumer.add_places();
  next.set_address(listener.address);
  next.set_slot(0);
  next.set_share(1);
  request.set_head_address(listener.address);
  request.set_queue(2);
  consumer.set_wire("f8");
  EXPECT_THROW(client.connect(request), Error);
  consumer.set_wire("bf16");
  client.connect(request);

  DataLink link(workers_[0]->address(), {}, nullptr);
  const WireTensor good = narrow(sparse_batch(100), WireFormat::lz4);
  WireTensor bad = good;
  bad.bytes = Buffer::copy(std::vector<std::byte>(good.bytes.size()));
  for (const WireTensor& tensor : {bad, good}) {
    Frame frame;
    frame.header.set_pipeline(5);
    frame.header.set_slot(1);
    frame.header.set_microseconds_left(20'000'000);
    frame.tensors.push_back(tensor);
    link.send(std::move(frame));
  }
  const auto wait = [&](std::size_t i) {
    std::future<Frame> frame = arrived.at(i).get_future();
    if (frame.wait_for(seconds(20)) != std::future_status::ready)
      fail(ErrorCode::deadline_exceeded, "no frame came");
    return frame.get();
  };
  const Frame refused = wait(0);
  EXPECT_EQ(refused.header.error().code(), "corrupt") << refused.header.error().message();
  const Frame answer = wait(1);
  ASSERT_EQ(answer.tensors.size(), 2U);
  EXPECT_EQ(answer.tensors[0].format, WireFormat::bf16);
  workers_.clear();
  listener.server->Shutdown(std::chrono::system_clock::now());
}

TEST_F(Pipeline, NarrowingIsMeasuredWhereItRuns) {
  start_worker({});
  WorkerClient client(workers_[0]->address(), {});
  constexpr std::uint64_t kBytes = 1U << 20U;
  constexpr std::uint64_t kValues = kBytes / 4;
  const std::vector<std::pair<WireFormat, std::uint64_t>> expected = {
      {WireFormat::f32, kBytes},
      {WireFormat::bf16, kBytes / 2},
      {WireFormat::f16, kBytes / 2},
      {WireFormat::int8, kValues + kValues / 128 * 8},
  };
  for (const auto& [format, bytes] : expected) {
    const WireTime time = client.measure_wire(format, kBytes);
    EXPECT_EQ(time.bytes, bytes) << to_string(format);
    EXPECT_TRUE(format == WireFormat::f32 || time.narrow > 0);
    EXPECT_TRUE(format == WireFormat::f32 || time.widen > 0);
  }
  const WireTime compressed = client.measure_wire(WireFormat::lz4, kBytes);
  // Half the values are zero, the others hardly compress.
  EXPECT_GT(compressed.bytes, kBytes / 2);
  EXPECT_LT(compressed.bytes, kBytes * 3 / 4);
  EXPECT_NO_THROW(client.measure_wire(WireFormat::int8, 0));
  EXPECT_THROW(client.measure_wire(WireFormat::bf16, std::uint64_t{1} << 62U), Error);
}

TEST_F(Pipeline, NobodyListeningIsNamed) {
  try {
    WorkerClient("127.0.0.1:1", {}).describe(milliseconds(300));
    FAIL() << "nobody was reached";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:1"), std::string::npos) << error.what();
  }
}

TEST_F(Pipeline, APortInUseIsNamed) {
  start_worker({});
  WorkerOptions options;
  options.name = "second";
  options.listen = workers_[0]->address();
  options.store = directory_.path() / "second";
  options.loaded_engine = std::make_shared<FakeEngine>();
  try {
    const WorkerServer second(options);
    FAIL() << "two workers listen on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
    EXPECT_NE(std::string(error.what()).find(options.listen), std::string::npos) << error.what();
  }
}

// An authority and a certificate for "lamina" that it signed, made by the real openssl.
TlsFiles make_certificates(const std::filesystem::path& directory) {
  const std::string in = "cd '" + directory.string() + "' && ";
  const std::string commands =
      in +
      "openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=test "
      "2>/dev/null && "
      "openssl req -newkey rsa:2048 -nodes -keyout key.pem -out request.pem -subj /CN=lamina 2>/dev/null && "
      "printf 'subjectAltName=DNS:lamina' > names && "
      "openssl x509 -req -in request.pem -CA ca.pem -CAkey ca.key -CAcreateserial -out cert.pem -days 2 "
      "-extfile names 2>/dev/null";
  EXPECT_EQ(std::system(commands.c_str()), 0);
  return {directory / "ca.pem", directory / "cert.pem", directory / "key.pem"};
}

TEST_F(Pipeline, WithTlsItAnswersAndAStrangerIsNotHeard) {
  const TlsFiles tls = make_certificates(directory_.path());
  start({"Step", "Step"}, {}, tls);
  const Tensor input = batch_of(2, 1);
  expect_answer(send({input}).get(), input, 2);
  EXPECT_THROW(WorkerClient(workers_[0]->address(), {}).describe(milliseconds(500)), Error);
  const TemporaryDirectory other;
  const TlsFiles stranger = make_certificates(other.path());
  EXPECT_THROW(WorkerClient(workers_[0]->address(), stranger).describe(milliseconds(500)), Error);
}

}  // namespace
}  // namespace lamina
