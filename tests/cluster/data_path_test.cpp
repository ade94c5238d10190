#include "cluster/data_path.h"

#include "base/clock.h"
#include "cluster/listener.h"
#include "support/tcp_proxy.h"

#include <atomic>
#include <future>
#include <memory>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::seconds;

constexpr std::size_t kMiB = 1U << 20U;

// A process that listens for frames.
class Receiver {
 public:
  explicit Receiver(DataService::Receive receive, std::uint64_t max_frame_bytes = 64 * kMiB)
      : service_(std::move(receive), max_frame_bytes),
        listener_(listen_at("127.0.0.1:0", {}, max_frame_bytes, {&service_}, "the receiver")) {}
  ~Receiver() { listener_.server->Shutdown(std::chrono::system_clock::now()); }
  const std::string& address() const { return listener_.address; }

 private:
  DataService service_;
  Listener listener_;
};

Frame frame_of(std::size_t bytes) {
  Frame frame;
  frame.tensors.push_back(narrow(Tensor({DType::u8, {static_cast<std::int64_t>(bytes)}},
                                        Buffer::copy(std::vector<std::byte>(bytes, std::byte{1}))),
                                 WireFormat::f32));
  return frame;
}

TEST(DataLinks, FramesArriveInTheirOrder) {
  std::promise<void> all;
  std::vector<std::uint64_t> arrived;
  Receiver receiver([&](Frame frame) {
    arrived.push_back(frame.header.request());
    if (arrived.size() == 100) all.set_value();
  });
  DataLink link(receiver.address(), {}, nullptr);
  std::vector<std::uint64_t> sent;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Frame frame = frame_of(i * 1000);
    frame.header.set_request(i);
    link.send(std::move(frame));
    sent.push_back(i);
  }
  ASSERT_EQ(all.get_future().wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(arrived, sent);
}

TEST(DataLinks, AConnectionOnWhichNothingIsSaidBreaks) {
  Receiver receiver([](const Frame&) {});
  TcpProxy way(receiver.address());
  std::promise<ErrorCode> broken;
  DataLink link(
      way.address(), {}, [&](const Error& error) { broken.set_value(error.code()); },
      std::chrono::milliseconds(1000));
  link.echo({}, seconds(20));
  EXPECT_TRUE(link.alive());
  way.block();
  std::future<ErrorCode> end = broken.get_future();
  ASSERT_EQ(end.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(end.get(), ErrorCode::unavailable);
}

TEST(DataLinks, AnEchoToWhomDoesNotAnswerEndsInItsTime) {
  Receiver receiver([](const Frame&) {});
  TcpProxy way(receiver.address());
  way.block();
  const Clock::time_point begin = Clock::now();
  {
    DataLink link(way.address(), {}, nullptr);
    EXPECT_THROW(link.echo({}, std::chrono::milliseconds(200)), Error);
  }
  // The system would try to connect for twenty.
  EXPECT_LT(Clock::now() - begin, seconds(10));
}

TEST(DataLinks, ClosingEndsASendToAReceiverThatNoLongerReads) {
  std::promise<void> release;
  const std::shared_future<void> released = release.get_future().share();
  Receiver receiver([&](const Frame&) { released.wait(); });
  bool told = false;
  DataLink link(receiver.address(), {}, [&](const Error&) { told = true; });
  std::atomic<int> sent = 0;
  std::future<ErrorCode> sender = std::async(std::launch::async, [&] {
    try {
      while (true) {
        link.send(frame_of(4 * kMiB));
        ++sent;
      }
    } catch (const Error& error) {
      return error.code();
    }
  });
  // It is held back once nothing more goes through for a while.
  int before = -1;
  while (sent != before) {
    before = sent;
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
  }
  link.close();
  const bool ended = sender.wait_for(seconds(20)) == std::future_status::ready;
  release.set_value();
  ASSERT_TRUE(ended) << "the sender is still waiting";
  EXPECT_EQ(sender.get(), ErrorCode::unavailable);
  EXPECT_FALSE(told) << "closing was asked for, it is no loss";
}

TEST(DataLinks, AReceiverThatEndsIsToldOnce) {
  auto receiver = std::make_unique<Receiver>([](const Frame&) {});
  std::promise<ErrorCode> told;
  DataLink link(receiver->address(), {}, [&](const Error& error) { told.set_value(error.code()); });
  link.echo({}, seconds(20));
  receiver.reset();
  std::future<ErrorCode> code = told.get_future();
  ASSERT_EQ(code.wait_for(seconds(20)), std::future_status::ready);
  EXPECT_EQ(code.get(), ErrorCode::unavailable);
  EXPECT_FALSE(link.alive());
  EXPECT_THROW(link.send(frame_of(10)), Error);
}

TEST(DataLinks, AFrameBeyondTheLimitEndsTheLinkAndOthersGoOn) {
  std::promise<void> arrived;
  Receiver receiver([&](const Frame&) { arrived.set_value(); }, kMiB);
  std::promise<void> broken;
  DataLink large(receiver.address(), {}, [&](const Error&) { broken.set_value(); });
  large.send(frame_of(2 * kMiB));
  EXPECT_EQ(broken.get_future().wait_for(seconds(20)), std::future_status::ready);
  DataLink other(receiver.address(), {}, nullptr);
  other.send(frame_of(1000));
  EXPECT_EQ(arrived.get_future().wait_for(seconds(20)), std::future_status::ready);
}

}  // namespace
}  // namespace lamina
