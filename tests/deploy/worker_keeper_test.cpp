// Workers are a script that says an address and waits, or ends as a test wants.
#include "deploy/worker_keeper.h"

#include "base/file.h"
#include "support/wait_until.h"

#include <algorithm>
#include <atomic>
#include <csignal>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLimit{30};

constexpr const char* kWorker = R"sh(#!/bin/sh
while [ $# -gt 0 ]; do
  [ "$1" = --address-file ] && address=$2
  shift
done
cd "$(dirname "$address")" || exit 1
echo start >>starts
if [ -e end ]; then echo 'as it was told'; exit 3; fi
if [ ! -e mute ]; then printf '127.0.0.1:%s' $$ >fresh && mv fresh "$address"; fi
exec sleep 1000
)sh";

class KeptWorkers : public testing::Test {
 protected:
  void SetUp() override {
    const std::filesystem::path program = directory_.path() / "worker.sh";
    write_file(program, kWorker);
    std::filesystem::permissions(program, static_cast<std::filesystem::perms>(0755));
    for (const char* name : {"a", "b"}) {
      LocalWorkerOptions options;
      options.device.name = name;
      options.device.threads = 1;
      options.directory = place(name);
      options.program = program;
      workers_.emplace_back(options);
      workers_.back().wait_until_ready(kLimit);
    }
    keeper_ = std::make_unique<WorkerKeeper>(workers_, [this] { ++changes_; });
  }

  std::filesystem::path place(const std::string& name) const { return directory_.path() / name; }
  std::size_t starts(const std::string& name) const {
    const std::string lines = read_file(place(name) / "starts", 10'000);
    return static_cast<std::size_t>(std::count(lines.begin(), lines.end(), '\n'));
  }
  pid_t pid(const std::string& name) const { return keeper_->processes().at(name); }
  void kill(const std::string& name) const { ::kill(pid(name), SIGKILL); }
  // A worker of another process than `before`.
  void wait_for_another(const std::string& name, pid_t before) const {
    wait_until([&] { return pid(name) != before && !keeper_->address(name).empty(); });
  }

  TemporaryDirectory directory_;
  std::vector<LocalWorker> workers_;
  std::atomic<int> changes_ = 0;
  std::unique_ptr<WorkerKeeper> keeper_;
};

TEST_F(KeptWorkers, AreWhatTheyWereWhileNothingHappens) {
  EXPECT_EQ(keeper_->address("a"), workers_[0].address());
  EXPECT_EQ(pid("b"), workers_[1].pid());
  EXPECT_EQ(keeper_->address("nobody"), "");
  EXPECT_EQ(keeper_->losses(milliseconds(30)), "");
  EXPECT_EQ(changes_, 0);
}

TEST_F(KeptWorkers, AreStartedAgainAtOtherAddresses) {
  const pid_t before = pid("a");
  const std::string other = keeper_->address("b");
  kill("a");
  wait_for_another("a", before);
  EXPECT_EQ(keeper_->address("a"), "127.0.0.1:" + std::to_string(pid("a")));
  EXPECT_EQ(keeper_->address("b"), other);
  EXPECT_GE(changes_, 2);  // it went, it came
  EXPECT_NE(keeper_->losses(milliseconds(0)).find("worker 'a' was ended by signal 9"), std::string::npos);
  EXPECT_EQ(starts("b"), 1U);
}

TEST_F(KeptWorkers, HaveNoAddressUntilTheyListen) {
  write_file(place("a") / "mute", "");
  kill("a");
  wait_until([&] { return starts("a") == 2; });
  EXPECT_EQ(keeper_->address("a"), "");
  EXPECT_NE(keeper_->address("b"), "");
}

TEST_F(KeptWorkers, ThatEndAgainAndAgainWaitLongerEachTime) {
  write_file(place("a") / "end", "");
  const Clock::time_point begin = Clock::now();
  kill("a");
  // At once, after 1 s and after 2 s.
  wait_until([&] { return starts("a") == 4; });
  EXPECT_GE(seconds_since(begin), 3);
  EXPECT_NE(keeper_->losses(milliseconds(0)).find("'a' ended with status 3: as it was told"),
            std::string::npos);
  EXPECT_EQ(starts("b"), 1U);
  std::filesystem::remove(place("a") / "end");
  wait_until([&] { return !keeper_->address("a").empty(); });
}

TEST_F(KeptWorkers, ThatCantBeStartedAreTriedAgain) {
  std::filesystem::rename(place("a"), directory_.path() / "elsewhere");
  write_file(place("a"), "no directory");
  kill("a");
  // Whoever can't be started has no process.
  wait_until([&] { return pid("a") == -1; });
  const pid_t before = pid("b");
  kill("b");
  wait_for_another("b", before);
  std::filesystem::remove(place("a"));
  wait_until([&] { return !keeper_->address("a").empty(); });
}

TEST_F(KeptWorkers, MayBeAskedForByManyThreadsWhileTheyDie) {
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      while (!stop) {
        keeper_->address("a");
        keeper_->processes();
        keeper_->losses(milliseconds(1));
      }
    });
  }
  for (const char* name : {"a", "b"}) {
    const pid_t before = pid(name);
    kill(name);
    wait_for_another(name, before);
  }
  stop = true;
  for (std::thread& thread : threads) thread.join();
}

TEST_F(KeptWorkers, EndWithTheirKeeperWhereItStartedThem) {
  const pid_t before = pid("a");
  kill("a");
  wait_for_another("a", before);
  const pid_t now = pid("a");
  keeper_.reset();
  wait_until([&] { return process_start_time(now) == 0 || workers_[0].end().has_value(); });
  EXPECT_FALSE(workers_[1].end()) << "it was started by another thread";
}

TEST_F(KeptWorkers, DoNotHoldTheirKeeperWhileTheyWait) {
  write_file(place("a") / "end", "");
  kill("a");
  wait_until([&] { return starts("a") == 2; });
  const Clock::time_point begin = Clock::now();
  keeper_.reset();
  EXPECT_LT(seconds_since(begin), 20);
}

}  // namespace
}  // namespace lamina
