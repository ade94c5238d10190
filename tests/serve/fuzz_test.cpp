// Damaged bodies and damaged HTTP, thousands of them: errors, never a crash, a hang or an answer that is no
// HTTP.
#include "base/error.h"
#include "graph/npy.h"
#include "serve/fake_orchestrator.h"
#include "serve/http_server.h"
#include "serve/model_io.h"
#include "serve/npz.h"
#include "serve/raw_client.h"

#include <random>

#include <gtest/gtest.h>

namespace lamina {
namespace {

std::string text_of(const Buffer& buffer) {
  return {reinterpret_cast<const char*>(buffer.data()), buffer.size()};
}

// One to eight changes: bytes set, flipped, removed, doubled, cut, or numbers made extreme.
std::string mutate(std::string text, std::mt19937& random) {
  const auto below = [&random](std::size_t n) { return n == 0 ? 0 : random() % n; };
  for (std::size_t changes = 1 + below(8); changes > 0 && !text.empty(); --changes) {
    const std::size_t at = below(text.size());
    switch (below(6)) {
      case 0:
        text[at] = static_cast<char>(below(256));
        break;
      case 1:
        text[at] = static_cast<char>(text[at] ^ (1 << below(8)));
        break;
      case 2:
        text.erase(at, 1 + below(16));
        break;
      case 3:
        text.insert(at, text.substr(at, 1 + below(32)));
        break;
      case 4:
        text.resize(at);
        break;
      default:
        for (std::size_t i = at; i < std::min(text.size(), at + 4); ++i) text[i] = '\xff';
    }
  }
  return text;
}

TEST(Fuzz, DamagedBodiesAreErrorsOrArrays) {
  const Signature signature = {{{"a", {DType::f32, {kBatch, 2}}}, {"b", {DType::i64, {kBatch, 1}}}}, {}};
  const Signature single = one_to_one();
  const std::string npz = text_of(write_npz({{"a", Tensor::of({2, 2}, std::vector<float>{1, 2, 3, 4})},
                                             {"b", Tensor::of({2, 1}, std::vector<std::int64_t>{5, 6})}}));
  const std::string npy = text_of(write_npy(Tensor::of({1, 2, 3}, std::vector<float>(6))));
  std::mt19937 random(20'240'607);
  int errors = 0;
  constexpr int kRounds = 20'000;
  for (int round = 0; round < kRounds; ++round) {
    const bool archive = round % 2 == 0;
    const std::string body = mutate(archive ? npz : npy, random);
    try {
      const std::vector<Tensor> inputs = read_inputs(Buffer::copy(std::as_bytes(std::span(body))),
                                                     archive ? signature : single, "", 1 << 16);
      EXPECT_EQ(inputs.size(), archive ? 2U : 1U);
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::corrupt || error.code() == ErrorCode::invalid_argument ||
                  error.code() == ErrorCode::unsupported)
          << to_string(error.code()) << ": " << error.what();
      ++errors;
    }
  }
  EXPECT_GT(errors, kRounds / 4);
}

TEST(Fuzz, DamagedHttpIsAnsweredByHttpOrTheEndOfTheConnection) {
  FakeOrchestrator orchestrator(one_to_one());
  orchestrator.answer = sum_rows;
  orchestrator.state = two_stages();
  HttpOptions options;
  options.port = 0;
  options.header_timeout = std::chrono::milliseconds(20);
  options.idle_timeout = std::chrono::milliseconds(20);
  options.max_body_bytes = 1 << 16;
  const HttpServer server(orchestrator, options);
  const std::string npy = text_of(write_npy(Tensor::of({1, 2, 3}, std::vector<float>(6))));
  const std::vector<std::string> seeds = {
      post_input(npy),
      post_input(npy) + get("/health/live") + post_input(npy),
      "POST /input?output=y HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n0\r\n\r\n",
      "HEAD /status HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n",
      "POST /input HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
  };
  std::mt19937 random(7);
  for (int round = 0; round < 600; ++round) {
    const std::string request = mutate(seeds[round % seeds.size()], random);
    RawClient client(server.port());
    client.send(request);
    // Every answer that comes is HTTP with a status that exists, until the connection ends.
    const Deadline deadline{std::chrono::seconds(20)};
    while (!client.closed()) {
      ASSERT_FALSE(deadline.passed()) << request;
      try {
        const int status = client.receive(request.rfind("HEAD ", 0) == 0).status;
        EXPECT_TRUE(status >= 100 && status < 600) << status;
        if (status >= 400) break;
      } catch (const std::runtime_error& error) {
        EXPECT_EQ(std::string(error.what()).rfind("no HTTP", 0), std::string::npos) << request;
        break;
      }
    }
  }
  EXPECT_EQ(fetch(server.port(), get("/health/live")).status, 200);
}

}  // namespace
}  // namespace lamina
