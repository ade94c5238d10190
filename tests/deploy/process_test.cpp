#include "deploy/process.h"

#include "base/clock.h"

#include <cerrno>
#include <chrono>
#include <csignal>
#include <thread>

#include <gtest/gtest.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Processes, AChildIsOverWhenAllItsThreadsAre) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::signal(SIGTERM, SIG_IGN);
    std::thread([] {
      std::this_thread::sleep_for(milliseconds(300));
      ::_exit(0);
    }).detach();
    ::syscall(SYS_exit, 0);  // of this thread alone
  }
  const Deadline deadline(seconds(10));
  while (process_start_time(child) != 0 && !deadline.passed()) std::this_thread::sleep_for(milliseconds(1));
  ASSERT_EQ(::waitpid(child, nullptr, WNOHANG), 0) << "it is over already";
  end_process(child, seconds(5));
  EXPECT_EQ(::waitpid(child, nullptr, WNOHANG), -1) << "it still runs";
  EXPECT_EQ(errno, ECHILD);
  end_process(child, seconds(5));  // whoever is gone is not waited for
}

}  // namespace
}  // namespace lamina
