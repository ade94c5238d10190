// A stage that is to send to somebody who does not answer.
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_client.h"
#include "cluster/worker_server.h"
#include "support/tcp_proxy.h"

#include <chrono>
#include <memory>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Connecting, EndsWithinTheTimeThatTheHeadAllows) {
  const TemporaryDirectory directory;
  const auto worker_of = [&](const std::string& name) {
    WorkerOptions options;
    options.name = name;
    options.store = directory.path() / name;
    options.loaded_engine = std::make_shared<FakeEngine>();
    return std::make_unique<WorkerServer>(options);
  };
  const auto sender = worker_of("sender");
  const auto receiver = worker_of("receiver");
  TcpProxy way(receiver->address());

  Graph graph("one");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 4}});
  graph.begin_layer("step", "Step");
  graph.add_output("y", graph.add("add", {x, x}));
  WorkerClient client(sender->address(), {});
  v1::ConnectRequest request;
  request.set_stage(client.load(graph, {}, {"f32", 1, 1}, nullptr));
  request.set_pipeline(1);
  request.set_slot(1);
  request.set_head_address(receiver->address());
  request.set_silence_milliseconds(600);
  request.set_answer_milliseconds(500);
  v1::Consumer& consumer = *request.add_consumers();
  consumer.set_wire("f32");
  v1::NextPlace& place = *consumer.add_places();
  place.set_address(way.address());
  place.set_share(1);
  client.connect(request);

  way.block();
  const Clock::time_point begin = Clock::now();
  EXPECT_THROW(client.connect(request), Error);
  EXPECT_LT(seconds_since(begin), 5);
  EXPECT_GE(seconds_since(begin), 0.5);
}

}  // namespace
}  // namespace lamina
