// Machines are workers behind proxies that tests break.
#include "cluster/membership.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_server.h"
#include "support/tcp_proxy.h"
#include "support/wait_until.h"

#include <algorithm>
#include <atomic>
#include <future>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Names = std::set<std::string>;

constexpr seconds kLimit{30};

class Members : public testing::Test {
 protected:
  Members() {
    WorkerOptions options;
    options.name = "worker";
    options.store = directory_.path();
    options.loaded_engine = std::make_shared<FakeEngine>();
    server_ = std::make_unique<WorkerServer>(options);
  }

  // Machines of these names, each a way of its own to the one worker.
  void start(const Names& names, MembershipOptions options = {.heartbeat = {milliseconds(100), 100}}) {
    for (const std::string& name : names) {
      ways_[name] = std::make_unique<TcpProxy>(server_->address());
      place(name, ways_[name]->address());
    }
    membership_ = std::make_unique<Membership>(
        std::vector<std::string>(names.begin(), names.end()),
        [this](const std::string& name) {
          const std::lock_guard lock(mutex_);
          return addresses_[name];
        },
        options, [this] { ++changes_; });
    membership_->start();
    membership_->wait_for_first_look(kLimit);
    ASSERT_TRUE(membership_->wait_for(names, kLimit));
  }
  void place(const std::string& name, const std::string& address) {
    const std::lock_guard lock(mutex_);
    addresses_[name] = address;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<WorkerServer> server_;
  std::map<std::string, std::unique_ptr<TcpProxy>> ways_;
  std::mutex mutex_;
  std::map<std::string, std::string> addresses_;  // guarded by mutex_
  std::atomic<int> changes_ = 0;
  std::unique_ptr<Membership> membership_;
};

TEST_F(Members, AreWaitedFor) {
  start({"a"});
  ways_["a"]->block();
  membership_.reset();
  membership_ = std::make_unique<Membership>(
      std::vector<std::string>{"a"}, [this](const std::string&) { return ways_["a"]->address(); },
      MembershipOptions{.heartbeat = {milliseconds(100), 2}}, [this] { ++changes_; });
  membership_->start();
  EXPECT_FALSE(membership_->wait_for({"a"}, milliseconds(300)));
  auto late = std::async(std::launch::async, [this] {
    membership_->wait_for_first_look(kLimit);  // it is known to be gone
    ways_["a"]->mend();
  });
  EXPECT_TRUE(membership_->wait_for({"a"}, kLimit));
  EXPECT_TRUE(membership_->wait_for({}, milliseconds(0)));
  EXPECT_THROW(membership_->wait_for({"nobody"}, kLimit), Error);
}

TEST_F(Members, AreThereOnceTheyAnswered) {
  place("nowhere", "");
  start({"a", "b"});
  EXPECT_EQ(membership_->present(), (Names{"a", "b"}));
  EXPECT_TRUE(membership_->absent().empty());
  EXPECT_EQ(membership_->address("a"), ways_["a"]->address());
  EXPECT_EQ(membership_->arrivals("a"), 1U);
  EXPECT_TRUE(membership_->look("a"));
  EXPECT_THROW(membership_->address("nobody"), Error);
}

TEST_F(Members, AreGoneWhenTheirConnectionIsRefused) {
  start({"a", "b"});
  ways_["a"]->cut();
  wait_until([&] { return membership_->absent() == Names{"a"}; });
  EXPECT_EQ(membership_->present(), Names{"b"});
  EXPECT_FALSE(membership_->look("a"));
  EXPECT_EQ(membership_->arrivals("a"), 1U);
  ways_["a"]->mend();
  wait_until([&] { return membership_->present().contains("a"); });
  EXPECT_EQ(membership_->arrivals("a"), 2U);
  EXPECT_EQ(membership_->arrivals("b"), 1U);
  EXPECT_TRUE(membership_->look("a"));
  wait_until([&] { return changes_ >= 4; });  // two came, one went and came
}

TEST_F(Members, StayWhereAConnectionBreaksAndCanBeMadeAgain) {
  start({"a"});
  for (int i = 0; i < 5; ++i) {
    ways_["a"]->interrupt();
    EXPECT_TRUE(membership_->look("a"));
  }
  EXPECT_EQ(membership_->arrivals("a"), 1U);
}

TEST_F(Members, MayMissBeats) {
  start({"a"}, {.heartbeat = {milliseconds(100), 1000}});
  ways_["a"]->block();
  std::this_thread::sleep_for(milliseconds(350));
  EXPECT_EQ(membership_->present(), Names{"a"});
  ways_["a"]->mend();
  EXPECT_TRUE(membership_->look("a"));
  EXPECT_EQ(membership_->arrivals("a"), 1U);
}

TEST_F(Members, AreGoneWhenTheyMissedTheirBeats) {
  start({"a"}, {.heartbeat = {milliseconds(100), 3}});
  const Clock::time_point begin = Clock::now();
  ways_["a"]->block();
  EXPECT_FALSE(membership_->look("a")) << "asked for at once, and waited for until it is clear";
  EXPECT_GE(seconds_since(begin), 0.2);
  EXPECT_EQ(membership_->absent(), Names{"a"});
  ways_["a"]->mend();
  wait_until([&] { return membership_->present().contains("a"); });
}

TEST_F(Members, AtAnotherAddressHaveComeAnew) {
  start({"a"});
  const TcpProxy other(server_->address());
  place("a", other.address());
  wait_until([&] { return membership_->arrivals("a") >= 2; });
  EXPECT_EQ(membership_->address("a"), other.address());
  EXPECT_EQ(membership_->present(), Names{"a"});
  place("a", "");
  wait_until([&] { return membership_->absent() == Names{"a"}; });
}

TEST_F(Members, MayBeLookedForByManyThreadsAtOnce) {
  start({"a", "b"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&, i] {
      for (int look = 0; look < 20; ++look) EXPECT_TRUE(membership_->look(i % 2 == 0 ? "a" : "b"));
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(Members, LetGoOfThoseThatWaitWhenTheyEnd) {
  start({"a"}, {.heartbeat = {seconds(20), 1000}});
  ways_["a"]->block();
  std::future<bool> looked = std::async(std::launch::async, [&] { return membership_->look("a"); });
  std::this_thread::sleep_for(milliseconds(50));
  membership_->stop();
  ASSERT_EQ(looked.wait_for(kLimit), std::future_status::ready);
  ways_["a"]->mend();  // whoever still asks is answered
}

}  // namespace
}  // namespace lamina
