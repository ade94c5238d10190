// The server against a client that speaks raw HTTP: what clients meet, and what they do wrong.
#include "serve/http_server.h"

#include "base/json.h"
#include "graph/npy.h"
#include "serve/fake_orchestrator.h"
#include "serve/raw_client.h"

#include <atomic>
#include <future>
#include <numeric>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;

std::string text_of(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
}

// An .npy of float32 (batch, 2, 3) holding 0, 1, 2, …
std::string npy_input(std::int64_t batch = 1) {
  std::vector<float> values(static_cast<std::size_t>(batch * 6));
  std::iota(values.begin(), values.end(), 0.0F);
  return text_of(write_npy(Tensor::of({batch, 2, 3}, values)));
}

Tensor read_body(const RawResponse& response) {
  return read_npy(Buffer::copy(std::as_bytes(std::span(response.body))), "the answer");
}

std::string error_code_of(const RawResponse& response) {
  return json_string(json_object(parse_json(response.body, "the answer"), "error", "the answer"), "code",
                     "the answer");
}

HttpOptions any_port() {
  HttpOptions options;
  options.port = 0;
  return options;
}

class HttpServerTest : public ::testing::Test {
 protected:
  HttpServerTest() : orchestrator(one_to_one()) {
    orchestrator.answer = sum_rows;
    orchestrator.state = two_stages();
  }
  void start(const HttpOptions& options = any_port()) {
    server.emplace(orchestrator, options);
    port = server->port();
  }

  FakeOrchestrator orchestrator;
  std::optional<HttpServer> server;
  std::uint16_t port = 0;
};

// --- endpoints ---

TEST_F(HttpServerTest, AnswersAnInputOfAnyBatchSizeWithTheModelsOutput) {
  start();
  RawClient client(port);
  for (const std::int64_t batch : {1, 5, 0, 300}) {
    ASSERT_TRUE(client.send(post_input(npy_input(batch))));
    const RawResponse response = client.receive();
    if (batch == 0) {
      EXPECT_TRUE(response.status == 200 || response.status == 400) << response.body;
      continue;
    }
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(response.headers.at("content-type"), "application/x-npy");
    const Tensor y = read_body(response);
    EXPECT_EQ(y.shape(), (Shape{batch, 3}));
    // Row b is (6b + c) + (6b + 3 + c).
    EXPECT_EQ(y.to_floats().back(), 12.0F * static_cast<float>(batch - 1) + 7.0F);
  }
}

TEST_F(HttpServerTest, RefusesAnInputOfTheWrongShapeWithPapdlsTextAndBothShapes) {
  start();
  const std::string wrong = text_of(write_npy(Tensor::of({1, 3, 2}, std::vector<float>(6))));
  const RawResponse response = fetch(port, post_input(wrong));
  EXPECT_EQ(response.status, 400);
  EXPECT_EQ(response.body.rfind("Input dimensions does not match the model", 0), 0U) << response.body;
  EXPECT_NE(response.body.find("(1, 3, 2)"), std::string::npos) << response.body;
  EXPECT_NE(response.body.find("(batch, 2, 3)"), std::string::npos) << response.body;
}

TEST_F(HttpServerTest, RefusesABodyThatIsNoArray) {
  start();
  for (const std::string& body : {std::string("hello"), std::string(), npy_input().substr(0, 100)}) {
    const RawResponse response = fetch(port, post_input(body));
    EXPECT_EQ(response.status, 400);
    EXPECT_EQ(error_code_of(response), "corrupt") << response.body;
  }
}

TEST_F(HttpServerTest, RefusesAQueryItDoesNotKnow) {
  start();
  EXPECT_EQ(fetch(port, post_input(npy_input(), "/input?inptu=x")).status, 400);
  EXPECT_EQ(fetch(port, post_input(npy_input(), "/input?output=z")).status, 400);
  EXPECT_EQ(fetch(port, post_input(npy_input(), "/input?input=z")).status, 400);
  EXPECT_EQ(fetch(port, post_input(npy_input(), "/input?input=x&output=y")).status, 200);
}

TEST_F(HttpServerTest, ConnectAndActivateSayWhatFailedWithAFailingStatus) {
  start();
  EXPECT_EQ(fetch(port, get("/connect")).status, 200);
  RawResponse activated = fetch(port, get("/activate"));
  EXPECT_EQ(activated.status, 200);
  EXPECT_EQ(parse_json(activated.body, "answer")["vm4"]["status"], 200);

  orchestrator.set_state([](PipelineStatus& state) {
    state.stages[1].ready = state.stages[1].connected = false;
    state.stages[1].error = "worker pc5: out of memory loading dense1";
  });
  const RawResponse connected = fetch(port, get("/connect"));
  EXPECT_EQ(connected.status, 503);
  EXPECT_NE(connected.body.find("worker pc5: out of memory"), std::string::npos);
  activated = fetch(port, get("/activate"));
  EXPECT_EQ(activated.status, 503);
  const Json json = parse_json(activated.body, "answer");
  EXPECT_EQ(json["vm4"]["status"], 200);
  EXPECT_EQ(json["pc5"]["status"], 503);
  EXPECT_EQ(json["pc5"]["response"], "worker pc5: out of memory loading dense1");
}

TEST_F(HttpServerTest, StagesOnOneWorkerAreDifferentServices) {
  orchestrator.state.stages[1].worker = "vm4";
  start();
  const Json json = parse_json(fetch(port, get("/workerhealthcheck")).body, "answer");
  EXPECT_EQ(json.size(), 2U);
  EXPECT_TRUE(json.contains("vm4"));
  EXPECT_TRUE(json.contains("vm4#2"));
}

TEST_F(HttpServerTest, HealthChecksHavePapdlsForm) {
  start();
  const Json own = parse_json(fetch(port, get("/healthcheck")).body, "answer");
  EXPECT_EQ(own, (Json{{"forward_url", "grpc://127.0.0.1:7001"}, {"connected", true}}));
  const Json workers = parse_json(fetch(port, get("/workerhealthcheck")).body, "answer");
  EXPECT_EQ(workers["vm4"]["status"], 200);
  const Json inner = parse_json(workers["vm4"]["response"].get<std::string>(), "inner answer");
  EXPECT_EQ(inner["forward_url"], "grpc://127.0.0.1:7002");
  EXPECT_EQ(inner["connected"], true);
}

TEST_F(HttpServerTest, IsReadyOnlyWhenEveryStageIs) {
  start();
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
  EXPECT_EQ(fetch(port, get("/health/ready")).status, 200);
  orchestrator.set_state([](PipelineStatus& state) { state.stages[0].ready = false; });
  const RawResponse response = fetch(port, get("/health/ready"));
  EXPECT_EQ(response.status, 503);
  EXPECT_NE(response.body.find("vm4"), std::string::npos);
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
  orchestrator.set_state([](PipelineStatus& state) { state.stages.clear(); });
  EXPECT_EQ(fetch(port, get("/health/ready")).status, 503);
}

TEST_F(HttpServerTest, StatusTellsTheSignatureTheStagesAndTheRecentLatency) {
  start();
  ASSERT_EQ(fetch(port, post_input(npy_input())).status, 200);
  const Json json = parse_json(fetch(port, get("/status")).body, "answer");
  EXPECT_EQ(json["model"], "toy");
  EXPECT_EQ(json["signature"]["inputs"][0]["shape"], Json::parse("[null,2,3]"));
  EXPECT_EQ(json["signature"]["outputs"][0]["dtype"], "float32");
  EXPECT_EQ(json["stages"][1]["worker"], "pc5");
  EXPECT_EQ(json["stages"][1]["predicted_seconds"], 0.002);
  EXPECT_GT(json["recent"]["latency_median_seconds"].get<double>(), 0.0);
  EXPECT_GT(json["recent"]["per_second"].get<double>(), 0.0);
}

TEST_F(HttpServerTest, ClassNamesAreServed) {
  HttpOptions options = any_port();
  options.class_names = {"angry", "h\u00e4ppy"};
  start(options);
  EXPECT_EQ(parse_json(fetch(port, get("/classes")).body, "answer"), Json(options.class_names));
}

TEST_F(HttpServerTest, MetricsCountRequestsByPathAndCode) {
  start();
  fetch(port, post_input(npy_input()));
  fetch(port, post_input(npy_input()));
  fetch(port, post_input("x"));
  fetch(port, get("/nowhere/1"));
  fetch(port, get("/nowhere/2"));
  const auto has = [this](const std::string& line) {
    // A request is counted when its answer has been sent, which its client may know before the server.
    for (int i = 0; i < 200; ++i) {
      if (fetch(port, get("/metrics")).body.find(line) != std::string::npos) return true;
      std::this_thread::yield();
    }
    return false;
  };
  EXPECT_TRUE(has("lamina_http_requests_total{code=\"200\",path=\"/input\"} 2"));
  EXPECT_TRUE(has("lamina_http_requests_total{code=\"400\",path=\"/input\"} 1"));
  EXPECT_TRUE(has("lamina_http_requests_total{code=\"404\",path=\"other\"} 2"));
  EXPECT_TRUE(has("lamina_http_request_seconds_count{path=\"/input\"} 3"));
  EXPECT_TRUE(has("lamina_stage_measured_seconds{stage=\"1\",worker=\"pc5\",layers=\"dense1\"} 0.0021"));
  const std::string bytes = std::to_string(2 * npy_input().size() + 1);
  EXPECT_TRUE(has("lamina_http_received_bytes_total " + bytes)) << fetch(port, get("/metrics")).body;
}

TEST_F(HttpServerTest, StatusAndMetricsShowRecoveriesAndSlowMachines) {
  start();
  orchestrator.set_state([](PipelineStatus& status) {
    RecoveryStatus recovery;
    recovery.recoveries = 2;
    recovery.last_seconds = 0.5;
    recovery.seconds = 1.25;
    recovery.requests_resent = 9;
    recovery.slow = {{"pc5", 4.5}};
    recovery.state = "serving";
    recovery.last.push_back({std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000)),
                             "'vm4' is gone",
                             {"vm4"},
                             0.5,
                             7});
    status.recovery = recovery;
  });
  const std::string text = fetch(port, get("/metrics")).body;
  for (const char* line :
       {"lamina_recoveries_total 2\n", "# TYPE lamina_recovery_seconds_total counter\n",
        "lamina_recovery_seconds_total 1.25\n", "lamina_machine_slowness{worker=\"pc5\"} 4.5\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
  const Json status = Json::parse(fetch(port, get("/status")).body);
  EXPECT_EQ(status["recovery"]["slow"], Json({{"pc5", 4.5}}));
  EXPECT_EQ(status["recovery"]["last"], Json::array({{{"time", 1.8e9},
                                                      {"reason", "'vm4' is gone"},
                                                      {"lost", {"vm4"}},
                                                      {"seconds", 0.5},
                                                      {"requests_resent", 7}}}));
}

TEST_F(HttpServerTest, MetricsShowTheSizesOfBatchesWhereRequestsAreJoined) {
  start();
  EXPECT_EQ(fetch(port, get("/metrics")).body.find("lamina_batch_rows"), std::string::npos);
  // Three batches of 1, two of 3 or 4, one of 9.
  orchestrator.set_state([](PipelineStatus& status) {
    status.batch_sizes = BatchSizes{{1, 2, 4}, {3, 0, 2, 1}, 19};
  });
  const std::string text = fetch(port, get("/metrics")).body;
  for (const char* line :
       {"# TYPE lamina_batch_rows histogram\n", "lamina_batch_rows_count 6\n", "lamina_batch_rows_sum 19\n",
        "lamina_batch_rows_bucket{le=\"1\"} 3\n", "lamina_batch_rows_bucket{le=\"2\"} 3\n",
        "lamina_batch_rows_bucket{le=\"4\"} 5\n", "lamina_batch_rows_bucket{le=\"+Inf\"} 6\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << text;
  }
}

TEST_F(HttpServerTest, ThePageIsWholeAndFetchesNothingFromElsewhere) {
  start();
  const RawResponse page = fetch(port, get("/"));
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.at("content-type"), "text/html; charset=utf-8");
  EXPECT_NE(page.body.find("</html>"), std::string::npos);
  EXPECT_EQ(page.body.find("src=\"http"), std::string::npos);
  EXPECT_EQ(page.body.find("@import"), std::string::npos);
}

// --- errors ---

TEST_F(HttpServerTest, EachErrorOfThePipelineHasItsStatus) {
  const std::vector<std::pair<ErrorCode, int>> expected = {
      {ErrorCode::invalid_argument, 400}, {ErrorCode::unsupported, 415},
      {ErrorCode::out_of_memory, 507},    {ErrorCode::resource_exhausted, 503},
      {ErrorCode::unavailable, 503},      {ErrorCode::deadline_exceeded, 504},
      {ErrorCode::internal, 500}};
  std::atomic<std::size_t> next = 0;
  orchestrator.answer = [&](const std::vector<Tensor>&) -> std::vector<Tensor> {
    fail(expected[next].first, "worker pc5 at 10.0.0.5:7000: stage dense1 failed");
  };
  start();
  RawClient client(port);
  for (const auto& [code, status] : expected) {
    ASSERT_TRUE(client.send(post_input(npy_input())));
    const RawResponse response = client.receive();
    EXPECT_EQ(response.status, status);
    EXPECT_EQ(error_code_of(response), to_string(code));
    EXPECT_NE(response.body.find("worker pc5 at 10.0.0.5:7000"), std::string::npos);
    EXPECT_EQ(response.headers.contains("retry-after"), status == 503);
    ++next;
  }
}

TEST_F(HttpServerTest, UnknownPathsAndMethodsAreToldWhatThereIs) {
  start();
  RawClient client(port);
  client.send(get("/nothing"));
  EXPECT_EQ(client.receive().status, 404);
  client.send(get("/input"));
  RawResponse response = client.receive();
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.at("allow"), "POST");
  client.send("DELETE /status HTTP/1.1\r\nHost: a\r\n\r\n");
  response = client.receive();
  EXPECT_EQ(response.status, 405);
  EXPECT_EQ(response.headers.at("allow"), "GET, HEAD");
  client.send("HEAD /connect HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_EQ(client.receive(true).status, 405);
}

TEST_F(HttpServerTest, HeadHasTheHeadersOfGetAndNoBody) {
  start();
  RawClient client(port);
  for (const std::string path : {"/", "/health/live", "/healthcheck", "/classes"}) {
    client.send("HEAD " + path + " HTTP/1.1\r\nHost: a\r\n\r\n");
    const RawResponse head = client.receive(true);
    client.send(get(path));
    const RawResponse whole = client.receive();
    EXPECT_EQ(head.status, 200);
    EXPECT_EQ(head.headers.at("content-length"), std::to_string(whole.body.size())) << path;
    EXPECT_EQ(head.headers.at("content-type"), whole.headers.at("content-type"));
  }
}

TEST_F(HttpServerTest, BrokenRequestsGetTheirStatusAndTheConnectionEnds) {
  start();
  const std::string long_header = "X: " + std::string(20'000, 'a') + "\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"nonsense\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"GET / HTTP/3.7\r\nHost: a\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"GET / HTTP/1.1\r\nHost: a\r\n" + long_header + "\r\n", 431},
      {"POST /input HTTP/1.1\r\nHost: a\r\n\r\n", 411},
      {"POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\n", 400},
      {"POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999999\r\n\r\n", 400},
      {"POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n", 400},
      {"POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
      {"POST /input HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501},
      {"POST /input HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"POST /input HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc", 415},
      {"POST /input HTTP/1.1\r\nHost: a\r\nExpect: magic\r\nContent-Length: 3\r\n\r\n", 417},
  };
  for (const auto& [request, status] : cases) {
    RawClient client(port);
    client.send(request);
    EXPECT_EQ(client.receive().status, status) << request.substr(0, 120);
    EXPECT_TRUE(client.closed()) << request.substr(0, 120);
  }
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
}

TEST_F(HttpServerTest, ABodyTooLargeIsRefusedBeforeItIsSent) {
  HttpOptions options = any_port();
  options.max_body_bytes = 1000;
  start(options);
  RawClient client(port);
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 1001\r\n\r\n");
  const RawResponse response = client.receive();
  EXPECT_EQ(response.status, 413);
  EXPECT_NE(response.body.find("1001"), std::string::npos);
  EXPECT_NE(response.body.find("1000"), std::string::npos);

  // A client that sends on regardless still gets to read the answer.
  RawClient stubborn(port);
  EXPECT_TRUE(stubborn.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 20000000\r\n\r\n"));
  EXPECT_TRUE(stubborn.send(std::string(20'000'000, 'x')));
  EXPECT_EQ(stubborn.receive().status, 413);

  // Nor does a body that does not say its size get past the limit.
  RawClient chunked(port);
  chunked.send("POST /input HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (int i = 0; i < 20; ++i) chunked.send("64\r\n" + std::string(100, 'x') + "\r\n");
  EXPECT_EQ(chunked.receive().status, 413);
}

TEST_F(HttpServerTest, BodiesUnderWayTogetherAreBounded) {
  HttpOptions options = any_port();
  options.max_buffered_bytes = 1500;
  start(options);
  RawClient first(port);
  first.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n");
  // What is announced takes no room, what has come does; a probe announces and sends nothing.
  const std::string probe =
      "POST /input HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1000\r\n\r\n";
  EXPECT_EQ(fetch(port, probe).status, 100);
  first.send(std::string(900, 'x'));
  RawResponse refused;
  const Deadline deadline{std::chrono::seconds(8)};
  while (refused.status != 503 && !deadline.passed()) refused = fetch(port, probe);
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  first.send(std::string(100, 'x'));
  EXPECT_EQ(first.receive().status, 400);
  EXPECT_EQ(fetch(port, post_input(npy_input())).status, 200);
}

// --- the way bytes come ---

TEST_F(HttpServerTest, ReadsARequestThatComesByteByByte) {
  start();
  RawClient client(port);
  for (const char c : post_input(npy_input())) ASSERT_TRUE(client.send(std::string_view(&c, 1)));
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(HttpServerTest, ReadsAChunkedBody) {
  start();
  const std::string body = npy_input(2);
  RawClient client(port);
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  for (std::size_t at = 0; at < body.size(); at += 16) {
    const std::string part = body.substr(at, 16);
    client.send((part.size() == 16 ? "10" : "0" + std::to_string(part.size())) + "\r\n" + part + "\r\n");
  }
  client.send("0\r\n\r\n");
  const RawResponse response = client.receive();
  ASSERT_EQ(response.status, 200) << response.body;
  EXPECT_EQ(read_body(response).shape(), (Shape{2, 3}));
}

TEST_F(HttpServerTest, SaysContinueToWhoAsksFirst) {
  start();
  const std::string body = npy_input();
  RawClient client(port);
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: " +
              std::to_string(body.size()) + "\r\n\r\n");
  EXPECT_EQ(client.receive().status, 100);
  client.send(body);
  EXPECT_EQ(client.receive().status, 200);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  orchestrator.hold = true;
  start();
  RawClient client(port);
  std::string requests;
  for (int batch = 1; batch <= 5; ++batch) requests += post_input(npy_input(batch)) + get("/health/live");
  client.send(requests);
  for (int batch = 1; batch <= 5; ++batch) {
    if (batch == 1) {
      ASSERT_TRUE(orchestrator.wait_held(1));
      orchestrator.release_all();
    }
    const RawResponse answer = client.receive();
    ASSERT_EQ(answer.status, 200);
    EXPECT_EQ(read_body(answer).shape(), (Shape{batch, 3}));
    EXPECT_EQ(client.receive().body, "live\n");
  }
}

TEST_F(HttpServerTest, RequestsOfManyConnectionsAreUnderWayAtOnce) {
  orchestrator.hold = true;
  start();
  std::vector<std::unique_ptr<RawClient>> clients;
  for (int i = 0; i < 20; ++i) {
    clients.push_back(std::make_unique<RawClient>(port));
    clients.back()->send(post_input(npy_input(i + 1)));
  }
  ASSERT_TRUE(orchestrator.wait_held(20));
  orchestrator.release_all();
  for (int i = 0; i < 20; ++i) EXPECT_EQ(read_body(clients[i]->receive()).shape(), (Shape{i + 1, 3}));
}

TEST_F(HttpServerTest, ALargeAnswerArrivesWhole) {
  orchestrator.answer = [](const std::vector<Tensor>& inputs) -> std::vector<Tensor> {
    std::vector<float> values(static_cast<std::size_t>(inputs[0].shape()[0]) * 3'000'000);
    std::iota(values.begin(), values.end(), 0.0F);
    return {Tensor::of({1, 3'000'000}, values)};
  };
  start();
  RawClient client(port, 4096);
  client.send(post_input(npy_input()));
  const RawResponse response = client.receive();
  ASSERT_EQ(response.status, 200);
  const std::vector<float> values = read_body(response).to_floats();
  EXPECT_EQ(values.size(), 3'000'000U);
  EXPECT_EQ(values[2'999'999], 2'999'999.0F);
}

TEST_F(HttpServerTest, Http10GetsAnAnswerAndTheEndOfTheConnection) {
  start();
  RawClient client(port);
  client.send("GET /health/live HTTP/1.0\r\n\r\n");
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.closed());
}

// --- time ---

TEST_F(HttpServerTest, AClientThatGoesAwayCancelsItsRequest) {
  orchestrator.hold = true;
  start();
  {
    RawClient client(port);
    client.send(post_input(npy_input()));
    ASSERT_TRUE(orchestrator.wait_held(1));
  }
  EXPECT_TRUE(orchestrator.wait_cancelled(1));
  // One that has sent its next request already is noticed too.
  {
    RawClient client(port);
    client.send(post_input(npy_input()) + get("/health/live"));
    ASSERT_TRUE(orchestrator.wait_held(1));
  }
  EXPECT_TRUE(orchestrator.wait_cancelled(2));
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
}

TEST_F(HttpServerTest, SlowHeadersAreCutOff) {
  HttpOptions options = any_port();
  options.header_timeout = milliseconds(150);
  start(options);
  RawClient silent(port);
  RawClient slow(port);
  slow.send("GET / HTTP/1.1\r\nHost: a\r\nX-");
  EXPECT_TRUE(silent.closed());
  EXPECT_EQ(slow.receive().status, 408);
  EXPECT_TRUE(slow.closed());
}

TEST_F(HttpServerTest, HeadersThatTrickleAreCutOffAllTheSame) {
  HttpOptions options = any_port();
  options.header_timeout = milliseconds(200);
  start(options);
  RawClient client(port);
  client.send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  // Each byte comes well within the time; all of them together do not.
  const Deadline deadline{std::chrono::seconds(10)};
  while (!client.readable() && !deadline.passed()) {
    client.send("a");
    std::this_thread::sleep_for(milliseconds(5));
  }
  EXPECT_EQ(client.receive().status, 408);
}

TEST_F(HttpServerTest, ABodyThatTricklesIsCutOff) {
  HttpOptions options = any_port();
  options.header_timeout = milliseconds(200);
  start(options);
  RawClient client(port);
  client.send("POST /input HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\nab");
  EXPECT_EQ(client.receive().status, 408);
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, AClientThatDoesNotReadItsAnswerIsCutOff) {
  orchestrator.answer = [](const std::vector<Tensor>&) -> std::vector<Tensor> {
    return {Tensor::of({1, 16'000'000}, std::vector<float>(16'000'000))};
  };
  HttpOptions options = any_port();
  options.header_timeout = milliseconds(200);
  options.min_bytes_per_second = 1ULL << 40;
  start(options);
  RawClient client(port, 4096);
  client.send(post_input(npy_input()));
  // The server gives up while the client reads nothing, and counts the request as the client's loss.
  const std::string lost = "lamina_http_requests_total{code=\"499\",path=\"/input\"} 1";
  const Deadline deadline{std::chrono::seconds(10)};
  while (fetch(port, get("/metrics")).body.find(lost) == std::string::npos && !deadline.passed()) {
    std::this_thread::yield();
  }
  EXPECT_FALSE(deadline.passed());
  EXPECT_THROW(client.receive(), std::runtime_error);
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosed) {
  HttpOptions options = any_port();
  options.idle_timeout = milliseconds(100);
  start(options);
  RawClient client(port);
  client.send(get("/health/live"));
  EXPECT_EQ(client.receive().status, 200);
  EXPECT_TRUE(client.closed());
}

TEST_F(HttpServerTest, TheOrchestratorGetsTheDeadlineOfTheRequest) {
  HttpOptions options = any_port();
  options.request_timeout = milliseconds(5000);
  start(options);
  EXPECT_EQ(fetch(port, post_input(npy_input())).status, 200);
  EXPECT_LE(orchestrator.last_deadline, milliseconds(5000));
  EXPECT_GT(orchestrator.last_deadline, milliseconds(1000));
}

TEST_F(HttpServerTest, APipelineThatNeverAnswersIsGivenUp) {
  orchestrator.hold = true;
  HttpOptions options = any_port();
  options.request_timeout = milliseconds(50);
  start(options);
  const RawResponse response = fetch(port, post_input(npy_input()));
  EXPECT_EQ(response.status, 504);
  EXPECT_EQ(error_code_of(response), "deadline_exceeded");
  EXPECT_TRUE(orchestrator.wait_cancelled(1));
}

TEST_F(HttpServerTest, ASlowActivationHoldsUpNobodyElse) {
  std::promise<void> go;
  std::promise<void> begun;
  orchestrator.on_activate = [&begun, gate = go.get_future().share()](PipelineStatus&) {
    begun.set_value();
    gate.wait();
  };
  HttpOptions options = any_port();
  options.threads = 1;
  start(options);
  RawClient activating(port);
  activating.send(get("/activate"));
  begun.get_future().wait();
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
  go.set_value();
  EXPECT_EQ(activating.receive().status, 200);
}

// --- many, and the end ---

TEST_F(HttpServerTest, TooManyConnectionsAreToldSo) {
  HttpOptions options = any_port();
  options.max_connections = 2;
  start(options);
  RawClient first(port);
  RawClient second(port);
  first.send(get("/health/live"));
  second.send(get("/health/live"));
  ASSERT_EQ(first.receive().status, 200);
  ASSERT_EQ(second.receive().status, 200);
  RawClient third(port);
  third.send(get("/health/live"));
  const RawResponse refused = third.receive();
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(refused.headers.contains("retry-after"));
  third.close();
  first.close();
  second.close();
  const Deadline deadline{std::chrono::seconds(10)};
  int status = 503;
  while (status != 200 && !deadline.passed()) status = fetch(port, get("/health/live")).status;
  EXPECT_EQ(status, 200);
  EXPECT_NE(fetch(port, get("/metrics")).body.find("lamina_http_requests_total{code=\"503\",path=\"other\"}"),
            std::string::npos);
}

TEST_F(HttpServerTest, APortInUseIsAnErrorThatNamesIt) {
  start();
  HttpOptions options;
  options.port = port;
  try {
    const HttpServer second(orchestrator, options);
    FAIL() << "two servers on one port";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::already_exists);
    EXPECT_NE(std::string(error.what()).find("127.0.0.1:" + std::to_string(port)), std::string::npos);
  }
  EXPECT_EQ(fetch(port, get("/health/live")).status, 200);
}

TEST_F(HttpServerTest, AnAddressOfAnotherMachineIsAnError) {
  HttpOptions options = any_port();
  options.address = "198.51.100.1";
  options.insecure = true;
  try {
    const HttpServer server_elsewhere(orchestrator, options);
    FAIL() << "it listens";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unavailable);
  }
}

TEST_F(HttpServerTest, StoppingAnswersWhatIsInFlightAndWhatFollowedIt) {
  orchestrator.hold = true;
  start();
  RawClient idle(port);
  idle.send(get("/health/live"));
  ASSERT_EQ(idle.receive().status, 200);
  RawClient busy(port);
  busy.send(post_input(npy_input()) + get("/health/ready"));
  ASSERT_TRUE(orchestrator.wait_held(1));

  std::thread stopping([this] { server->stop(); });
  EXPECT_TRUE(idle.closed());
  EXPECT_THROW(RawClient{port}, std::runtime_error);
  orchestrator.release_all();
  const RawResponse answer = busy.receive();
  EXPECT_EQ(answer.status, 200);
  const RawResponse ready = busy.receive();
  EXPECT_EQ(ready.status, 503);
  EXPECT_EQ(ready.headers.at("connection"), "close");
  EXPECT_TRUE(busy.closed());
  stopping.join();
  EXPECT_TRUE(orchestrator.cancelled.empty());
}

TEST_F(HttpServerTest, StoppingCancelsWhatTakesLongerThanTheDrain) {
  orchestrator.hold = true;
  HttpOptions options = any_port();
  options.drain_timeout = milliseconds(100);
  start(options);
  RawClient busy(port);
  busy.send(post_input(npy_input()));
  ASSERT_TRUE(orchestrator.wait_held(1));
  server->stop();
  EXPECT_TRUE(orchestrator.wait_cancelled(1));
  EXPECT_TRUE(busy.closed());
}

TEST_F(HttpServerTest, AnAnswerAfterTheServerIsGoneIsHarmless) {
  orchestrator.hold = true;
  orchestrator.deaf_to_cancel = true;
  HttpOptions options = any_port();
  options.drain_timeout = milliseconds(50);
  start(options);
  RawClient client(port);
  client.send(post_input(npy_input()));
  ASSERT_TRUE(orchestrator.wait_held(1));
  server.reset();
  EXPECT_TRUE(client.closed());
  orchestrator.release_all();
}

}  // namespace
}  // namespace lamina
