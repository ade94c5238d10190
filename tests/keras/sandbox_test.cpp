#include "keras/sandbox.h"

#include "base/clock.h"
#include "base/error.h"

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina {
namespace {

std::string error_of(const std::function<std::string()>& work, const SandboxLimits& limits = {}) {
  try {
    run_in_child("thing", work, limits);
    return "";
  } catch (const Error& error) {
    return std::string(to_string(error.code())) + ": " + error.what();
  }
}

TEST(Sandbox, returns_what_the_child_returned) {
  EXPECT_EQ(run_in_child("thing", [] { return std::string("answer"); }), "answer");
  EXPECT_EQ(run_in_child("thing", [] { return std::string(); }), "");
  // More than a pipe holds.
  EXPECT_EQ(run_in_child("thing", [] { return std::string(3 << 20, 'x'); }).size(), 3U << 20U);
}

TEST(Sandbox, keeps_changes_in_the_child) {
  int value = 1;
  run_in_child("thing", [&] { return std::to_string(value = 2); });
  EXPECT_EQ(value, 1);
}

TEST(Sandbox, hands_errors_on) {
  EXPECT_EQ(error_of([]() -> std::string { fail(ErrorCode::unsupported, "can't do {}", 5); }),
            "unsupported: can't do 5");
  EXPECT_EQ(error_of([]() -> std::string { throw std::runtime_error("odd"); }), "corrupt: odd");
}

TEST(Sandbox, turns_a_crash_into_an_error_that_names_the_thing) {
  for (const int signal : {SIGSEGV, SIGABRT, SIGFPE}) {
    const std::string error = error_of([signal]() -> std::string {
      std::signal(signal, SIG_DFL);
      ::raise(signal);
      return "";
    });
    EXPECT_TRUE(error.starts_with("corrupt: thing")) << error;
  }
  EXPECT_TRUE(error_of([]() -> std::string { ::_exit(3); }).starts_with("corrupt: thing"));
}

TEST(Sandbox, ends_a_child_that_hangs) {
  SandboxLimits limits;
  limits.deadline = std::chrono::seconds(1);
  const auto begin = Clock::now();
  const std::string error = error_of(
      []() -> std::string {
        while (true) ::pause();
      },
      limits);
  EXPECT_TRUE(error.starts_with("corrupt: thing")) << error;
  EXPECT_LT(seconds_since(begin), 10);
  // No child is left behind.
  EXPECT_EQ(::waitpid(-1, nullptr, WNOHANG), -1);
}

TEST(Sandbox, ends_a_child_that_says_too_much) {
  SandboxLimits limits;
  limits.max_result = 1000;
  EXPECT_TRUE(error_of([] { return std::string(1 << 20, 'x'); }, limits).starts_with("corrupt: thing"));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
TEST(Sandbox, limits_what_the_child_allocates) {
  SandboxLimits limits;
  limits.max_memory = 64 << 20;
  const std::string error = error_of(
      [] {
        const std::vector<char> block(std::size_t{1} << 30U, 'x');
        return std::string(1, block[12345]);
      },
      limits);
  EXPECT_TRUE(error.starts_with("corrupt")) << error;
}
#endif

}  // namespace
}  // namespace lamina
