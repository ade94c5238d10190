#include "base/parallel.h"

#include "base/clock.h"

#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

TEST(Parallel, DoesEverythingOnce) {
  for (const std::size_t threads : {1, 3, 50}) {
    std::vector<int> done(20, 0);
    for_each_in_parallel(done.size(), threads, [&](std::size_t i) { ++done[i]; });
    EXPECT_EQ(done, std::vector<int>(20, 1)) << threads << " threads";
  }
  for_each_in_parallel(0, 2, [](std::size_t) { FAIL() << "there is nothing to do"; });
}

// As many tasks wait for each other as there are threads.
TEST(Parallel, WorksAtOnce) {
  std::atomic<int> begun = 0;
  const Deadline deadline(std::chrono::minutes(1));
  for_each_in_parallel(3, 3, [&](std::size_t) {
    ++begun;
    while (begun < 3 && !deadline.passed()) std::this_thread::yield();
    EXPECT_FALSE(deadline.passed());
  });
  EXPECT_EQ(begun, 3);
}

TEST(Parallel, ThrowsWhatATaskThrewAfterAllAreDone) {
  for (const std::size_t threads : {1, 4}) {
    std::atomic<int> done = 0;
    const auto task = [&](std::size_t i) {
      ++done;
      if (i == 5) throw std::runtime_error("task " + std::to_string(i));
    };
    try {
      for_each_in_parallel(10, threads, task);
      FAIL() << "nothing was thrown";
    } catch (const std::runtime_error& error) {
      EXPECT_STREQ(error.what(), "task 5");
    }
    EXPECT_EQ(done, 10);
  }
}

}  // namespace
}  // namespace lamina
