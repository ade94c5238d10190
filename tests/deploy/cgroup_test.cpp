// Groups of the real kernel, where this user may make them; the tables as other machines have them.
#include "deploy/cgroup.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "deploy/fleet.h"
#include "deploy/process.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <memory>
#include <optional>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

namespace fs = std::filesystem;

// As a machine with version 1 has them (Debian 10), as one with version 2 (Debian 12, a session of systemd).
constexpr const char* kMounts1 =
    "30 23 0:26 / /sys/fs/cgroup ro,nosuid - tmpfs tmpfs ro,mode=755\n"
    "31 30 0:27 / /sys/fs/cgroup/unified rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate\n"
    "35 30 0:31 / /sys/fs/cgroup/cpu,cpuacct rw,nosuid shared:15 - cgroup cgroup rw,cpu,cpuacct\n"
    "36 30 0:32 / /sys/fs/cgroup/memory rw,nosuid shared:16 - cgroup cgroup rw,memory\n";
constexpr const char* kMember1 =
    "9:memory:/user.slice\n4:cpu,cpuacct:/user.slice\n1:name=systemd:/user.slice/session-1.scope\n0::/"
    "other\n";
constexpr const char* kMounts2 =
    "29 22 0:25 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,memory_recursiveprot\n";
constexpr const char* kMember2 = "0::/user.slice/user-1000.slice/session-3.scope\n";

TEST(CgroupTables, EachVersionIsFound) {
  const CgroupDirectory cpu = find_cgroup("cpu", kMounts1, kMember1);
  EXPECT_EQ(cpu.version, 1);
  EXPECT_EQ(cpu.group, "/sys/fs/cgroup/cpu,cpuacct/user.slice");
  EXPECT_EQ(find_cgroup("memory", kMounts1, kMember1).group, "/sys/fs/cgroup/memory/user.slice");
  const CgroupDirectory unified = find_cgroup("memory", kMounts2, kMember2);
  EXPECT_EQ(unified.version, 2);
  EXPECT_EQ(unified.group, "/sys/fs/cgroup/user.slice/user-1000.slice/session-3.scope");
}

TEST(CgroupTables, AContainerSeesItsGroupAsTheRoot) {
  const std::string mounts =
      "40 30 0:31 /docker/4f2a /sys/fs/cgroup/cpu ro,nosuid master:15 - cgroup cgroup rw,cpu\n";
  EXPECT_EQ(find_cgroup("cpu", mounts, "4:cpu:/docker/4f2a\n").group, "/sys/fs/cgroup/cpu");
  EXPECT_EQ(find_cgroup("cpu", mounts, "4:cpu:/docker/4f2a/inner\n").group, "/sys/fs/cgroup/cpu/inner");
  // Its own is outside of what is mounted, or of its namespace.
  EXPECT_EQ(find_cgroup("cpu", mounts, "4:cpu:/docker/4f2ab\n").group, "/sys/fs/cgroup/cpu");
  EXPECT_EQ(find_cgroup("cpu", kMounts2, "0::/../../other\n").group, "/sys/fs/cgroup");
}

TEST(CgroupTables, WhatIsMissingIsNamed) {
  for (const char* mounts :
       {"", "nonsense", "1 2 3:4 / /", "30 23 0:26 / /sys/fs/cgroup ro - tmpfs tmpfs ro\n"}) {
    try {
      find_cgroup("cpu", mounts, kMember2);
      FAIL();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::unsupported);
      EXPECT_NE(std::string(error.what()).find("'cpu'"), std::string::npos) << error.what();
    }
  }
}

// Real groups.
class Groups : public testing::Test {
 protected:
  // Makes one, or says why it can't be tested here.
  std::unique_ptr<Cgroup> make(const CgroupLimits& limits) {
    try {
      return std::make_unique<Cgroup>(limits);
    } catch (const Error& error) {
      reason_ = error.what();
      return nullptr;
    }
  }
  std::string reason_;
};

// A child in the group that runs `work` until it is ended.
template <typename Work>
pid_t start_in(const Cgroup& group, Work work) {
  const pid_t child = ::fork();
  if (child == 0) {
    if (!group.enter()) ::_exit(99);
    work();
    ::_exit(0);
  }
  return child;
}

double processor_seconds(pid_t pid) {
  clockid_t clock = 0;
  timespec time{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &time) != 0) return -1;
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool lists(const fs::path& directory, pid_t pid) {
  std::ifstream file(directory / "cgroup.procs");
  for (pid_t other = 0; file >> other;) {
    if (other == pid) return true;
  }
  return false;
}

std::vector<fs::path> groups_of(pid_t maker, const fs::path& parent) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(parent)) {
    if (entry.path().filename().string().starts_with("lamina-" + std::to_string(maker) + "-"))
      found.push_back(entry.path());
  }
  return found;
}

TEST_F(Groups, ABusyProcessGetsItsShare) {
  constexpr double kShare = 0.3;
  const auto group = make({.cpus = kShare});
  if (!group) GTEST_SKIP() << reason_;
  const pid_t child = start_in(*group, [] {
    std::atomic<bool> go_on = true;
    while (go_on) {
    }
  });
  // Others may take time from it but none can give it more, so that the best of several spans counts.
  double best = 0;
  for (int span = 0; span < 10 && best < kShare * 0.9; ++span) {
    const Clock::time_point begin = Clock::now();
    const double before = processor_seconds(child);
    const Deadline end(std::chrono::seconds(1));
    while (!end.passed()) ::usleep(10'000);
    const double share = (processor_seconds(child) - before) / seconds_since(begin);
    EXPECT_LT(share, kShare * 1.1);
    best = std::max(best, share);
  }
  EXPECT_GT(best, kShare * 0.9);
  end_process(child, std::chrono::seconds(5));
}

TEST_F(Groups, AProcessThatTakesTooMuchMemoryIsEnded) {
  const auto group = make({.memory = std::uint64_t{32} << 20U});
  if (!group) GTEST_SKIP() << reason_;
  EXPECT_FALSE(group->ran_out_of_memory());
  const pid_t child = start_in(*group, [] {
    constexpr std::size_t kBlock = 1U << 20U;
    for (int i = 0; i < 256; ++i) {
      volatile char* block = static_cast<char*>(std::malloc(kBlock));
      for (std::size_t at = 0; at < kBlock; at += 4096) block[at] = 1;
    }
  });
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFSIGNALED(status)) << status;
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
  EXPECT_TRUE(group->ran_out_of_memory());
}

TEST_F(Groups, VanishWithTheirObject) {
  auto group = make({.cpus = 0.5, .memory = std::uint64_t{64} << 20U});
  if (!group) GTEST_SKIP() << reason_;
  const std::vector<fs::path> directories = group->directories();
  ASSERT_FALSE(directories.empty());
  const pid_t child = start_in(*group, [] { ::pause(); });
  for (const fs::path& directory : directories) {
    const Deadline deadline(std::chrono::seconds(5));
    while (!lists(directory, child) && !deadline.passed()) ::usleep(1000);
    EXPECT_TRUE(lists(directory, child)) << directory;
  }
  end_process(child, std::chrono::seconds(5));
  group.reset();
  for (const fs::path& directory : directories) EXPECT_FALSE(fs::exists(directory)) << directory;
}

TEST_F(Groups, OfAProcessThatWasKilledAreRemovedByTheNext) {
  auto probe = make({.cpus = 0.5});
  if (!probe) GTEST_SKIP() << reason_;
  const fs::path parent = probe->directories().front().parent_path();
  // One that makes a group and is killed before it can remove it.
  const pid_t maker = ::fork();
  if (maker == 0) {
    const Cgroup group({.cpus = 0.5});
    ::pause();
    ::_exit(0);
  }
  const Deadline deadline(std::chrono::seconds(10));
  while (groups_of(maker, parent).empty() && !deadline.passed()) ::usleep(1000);
  ASSERT_EQ(groups_of(maker, parent).size(), 1U);
  {
    const Cgroup other({.cpus = 0.5});
    EXPECT_EQ(groups_of(maker, parent).size(), 1U) << "its maker still runs";
  }
  ::kill(maker, SIGKILL);
  ::waitpid(maker, nullptr, 0);
  EXPECT_EQ(groups_of(maker, parent).size(), 1U);
  const Cgroup next({.cpus = 0.5});
  EXPECT_TRUE(groups_of(maker, parent).empty());
  EXPECT_TRUE(fs::exists(probe->directories().front())) << "that of a process that runs";
}

TEST_F(Groups, WhereNoneMayBeMadeTheDirectoryIsNamed) {
  auto probe = make({.cpus = 0.5});
  if (!probe || ::geteuid() != 0) GTEST_SKIP() << "needs root, to be somebody else for a while: " << reason_;
  const std::string parent = probe->directories().front().parent_path().string();
  constexpr uid_t kNobody = 65534;
  ASSERT_EQ(::seteuid(kNobody), 0);
  std::string what;
  try {
    const Cgroup refused({.cpus = 0.5});
  } catch (const Error& error) {
    what = error.what();
  }
  ASSERT_EQ(::seteuid(0), 0);
  EXPECT_NE(what.find("control group in '" + parent), std::string::npos) << what;
  EXPECT_NE(what.find("run as root"), std::string::npos) << what;
}

// Real workers.
class LimitedWorker : public Groups {
 protected:
  void SetUp() override {
    const char* program = std::getenv("LAMINA_PROGRAM");
    if (program == nullptr) GTEST_SKIP() << "LAMINA_PROGRAM names no program to start workers with";
    if (!make({.cpus = 0.5, .memory = std::uint64_t{64} << 20U})) GTEST_SKIP() << reason_;
    options_.directory = directory_.path();
    options_.program = program;
  }

  // What /proc says of where a process is, for a controller.
  static std::string group_of(pid_t pid) {
    std::ifstream file("/proc/" + std::to_string(pid) + "/cgroup");
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  static DeviceInfo small(std::uint64_t megabytes) {
    DeviceInfo device;
    device.name = "small";
    device.threads = 1;
    device.memory = megabytes << 20U;
    return device;
  }

  TemporaryDirectory directory_;
  FleetOptions options_;
};

TEST_F(LimitedWorker, IsInItsGroupsAndComesBackIntoThem) {
  DeviceInfo device = small(128);
  device.cpus = 0.5;
  Fleet fleet({device}, options_);
  EXPECT_EQ(fleet.members().front().device.cpus, 0.5);
  EXPECT_GT(fleet.members().front().device.free_memory, device.memory / 2);
  for (int start = 0; start < 2; ++start) {
    const std::string groups = group_of(fleet.local_workers().front().pid());
    EXPECT_NE(groups.find("/lamina-" + std::to_string(::getpid()) + "-"), std::string::npos) << groups;
    EXPECT_EQ(fleet.losses(std::chrono::milliseconds(0)), "");
    fleet.restart("small");
  }
}

TEST_F(LimitedWorker, ThatRunsOutOfMemoryIsDescribedSo) {
  // Reads a line that has no end.
  write_file(directory_.path() / "hog", "#!/bin/sh\nexec tail /dev/zero\n");
  options_.program = directory_.path() / "hog";
  fs::permissions(options_.program, fs::perms::owner_all);
  try {
    const Fleet fleet({small(40)}, options_);
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("worker 'small' ran out of memory"), std::string::npos)
        << error.what();
    EXPECT_NE(std::string(error.what()).find("40.0 MiB"), std::string::npos) << error.what();
  }
}

TEST_F(LimitedWorker, ThatEndedIsNamedAmongTheLosses) {
  Fleet fleet({small(40)}, options_);
  ::kill(fleet.local_workers().front().pid(), SIGKILL);
  const std::string losses = fleet.losses(std::chrono::seconds(5));
  EXPECT_NE(losses.find("worker 'small' was ended by signal 9"), std::string::npos) << losses;
}

}  // namespace
}  // namespace lamina
