// Machines that come and go, and what it takes to know it.
#include "cluster/membership.h"

#include "base/clock.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_server.h"
#include "support/tcp_proxy.h"

#include <chrono>
#include <cstddef>
#include <filesystem>
#include <iterator>
#include <memory>
#include <set>
#include <string>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

class SilentMembers : public testing::Test {
 protected:
  SilentMembers() {
    WorkerOptions options;
    options.name = "one";
    options.store = directory_.path() / "store";
    options.loaded_engine = std::make_shared<FakeEngine>();
    server_ = std::make_unique<WorkerServer>(options);
    way_ = std::make_unique<TcpProxy>(server_->address());
  }

  std::unique_ptr<Membership> look_for_it(Heartbeat heartbeat) {
    MembershipOptions options;
    options.heartbeat = heartbeat;
    options.backoff = milliseconds(200);
    auto membership = std::make_unique<Membership>(
        std::vector<std::string>{"one"}, [this](const std::string&) { return way_->address(); }, options,
        [] {});
    membership->start();
    return membership;
  }

  TemporaryDirectory directory_;
  std::unique_ptr<WorkerServer> server_;
  std::unique_ptr<TcpProxy> way_;
};

TEST_F(SilentMembers, OneThatIsSlowToAnswerAtFirstMayStillMissItsBeats) {
  way_->block();
  const auto membership = look_for_it({milliseconds(200), 100});
  std::thread slow([this] {
    std::this_thread::sleep_for(milliseconds(500));
    way_->mend();
  });
  membership->wait_for_first_look(seconds(20));
  EXPECT_EQ(membership->present(), std::set<std::string>{"one"});
  slow.join();
}

TEST_F(SilentMembers, OneThatIsNotThereIsKnownToBeAbsentSoon) {
  way_->cut();
  const auto membership = look_for_it({milliseconds(200), 100});
  membership->wait_for_first_look(seconds(20));
  EXPECT_EQ(membership->absent(), std::set<std::string>{"one"});
}

TEST_F(SilentMembers, OneThatWasSilentIsThereOnceItAnswersAgain) {
  const auto membership = look_for_it({milliseconds(200), 2});
  membership->wait_for_first_look(seconds(20));
  way_->block();
  EXPECT_FALSE(membership->look("one"));
  EXPECT_EQ(membership->absent(), std::set<std::string>{"one"});
  way_->mend();
  const Deadline deadline(seconds(20));
  while (membership->present().empty() && !deadline.passed()) std::this_thread::sleep_for(milliseconds(5));
  EXPECT_EQ(membership->present(), std::set<std::string>{"one"});
  EXPECT_EQ(membership->arrivals("one"), 2U);
}

// Of this process.
std::ptrdiff_t count_open_files() {
  return std::distance(std::filesystem::directory_iterator("/proc/self/fd"), {});
}

TEST_F(SilentMembers, LeaveNoConnectionsBehindHoweverOftenTheyAreLookedForMeanwhile) {
  const auto membership = look_for_it({milliseconds(100), 2});
  ASSERT_TRUE(membership->wait_for({"one"}, seconds(20)));
  const std::ptrdiff_t before = count_open_files();
  way_->block();
  EXPECT_FALSE(membership->look("one"));
  std::this_thread::sleep_for(seconds(2));  // of looks that are not answered
  way_->mend();
  ASSERT_TRUE(membership->wait_for({"one"}, seconds(20)));
  // Two ends of a connection and the way's two, while another is being made.
  const Deadline deadline(seconds(20));
  while (count_open_files() > before + 4 && !deadline.passed()) std::this_thread::sleep_for(milliseconds(20));
  EXPECT_LE(count_open_files(), before + 4);
}

}  // namespace
}  // namespace lamina
