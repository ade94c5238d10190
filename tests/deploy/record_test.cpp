#include "deploy/record.h"

#include "base/file.h"
#include "deploy/process.h"

#include <cstdlib>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

// Its own place for records.
class Records : public testing::Test {
 protected:
  Records() { ::setenv("XDG_STATE_HOME", state_.path().c_str(), 1); }
  ~Records() override { ::unsetenv("XDG_STATE_HOME"); }

  DeploymentRecord make() {
    DeploymentRecord record;
    record.id = create_deployment_directory().filename().string();
    record.model_directory = "/models/vgg16";
    record.port = 8765;
    return record;
  }

  TemporaryDirectory state_;
};

// A process that waits for a signal.
pid_t start_sleeper() {
  const pid_t child = ::fork();
  if (child == 0) {
    ::execlp("sleep", "sleep", "100", nullptr);
    ::_exit(127);
  }
  return child;
}

TEST_F(Records, ComeBackAsTheyWere) {
  DeploymentRecord record = make();
  record.processes = {{"head", ::getpid(), process_start_time(::getpid())}, {"vm4", 123456, 7}};
  record.recoveries.push_back({std::chrono::system_clock::time_point(std::chrono::seconds(1'800'000'000)),
                               "'vm4' is gone",
                               {"vm4"},
                               0.25,
                               7});
  save_record(record);
  const std::vector<DeploymentRecord> found = list_records();
  ASSERT_EQ(found.size(), 1U);
  ASSERT_EQ(found[0].recoveries.size(), 1U);
  EXPECT_EQ(found[0].recoveries[0].when, record.recoveries[0].when);
  EXPECT_EQ(found[0].recoveries[0].reason, "'vm4' is gone");
  EXPECT_EQ(found[0].recoveries[0].lost, std::vector<std::string>{"vm4"});
  EXPECT_EQ(found[0].recoveries[0].seconds, 0.25);
  EXPECT_EQ(found[0].recoveries[0].requests_resent, 7U);
  EXPECT_EQ(found[0].id, record.id);
  EXPECT_EQ(found[0].model_directory, record.model_directory);
  EXPECT_EQ(found[0].port, 8765);
  ASSERT_EQ(found[0].processes.size(), 2U);
  EXPECT_TRUE(is_running(found[0].processes[0]));
  EXPECT_FALSE(is_running(found[0].processes[1]));
}

TEST_F(Records, AnotherProcessOfTheSameNumberIsNotMeant) {
  const pid_t other = start_sleeper();
  DeploymentRecord record = make();
  record.processes = {{"vm4", other, process_start_time(other) + 1}};
  save_record(record);
  EXPECT_FALSE(is_running(record.processes[0]));
  remove_deployment(record);
  EXPECT_EQ(::waitpid(other, nullptr, WNOHANG), 0) << "a stranger was ended";
  end_process(other, std::chrono::seconds(5));
  EXPECT_TRUE(list_records().empty());
}

TEST_F(Records, RemovingEndsTheProcesses) {
  const pid_t worker = start_sleeper();
  DeploymentRecord record = make();
  record.processes = {{"vm4", worker, process_start_time(worker)}};
  save_record(record);
  remove_deployment(record);
  EXPECT_NE(::waitpid(worker, nullptr, WNOHANG), 0);
  EXPECT_FALSE(std::filesystem::exists(deployments_directory() / record.id));
}

TEST_F(Records, DamagedOnesAreLeftOut) {
  for (const char* text :
       {"", "{", "[]",
        R"({"model_directory": "m", "port": 1, "processes": [{"role": "head", "pid": -1, "start_time": 1}]})",
        R"({"model_directory": "m", "port": 1, "processes": 4})"}) {
    write_file(deployments_directory() / make().id / "record.json", text);
  }
  EXPECT_TRUE(list_records().empty());
}

}  // namespace
}  // namespace lamina
