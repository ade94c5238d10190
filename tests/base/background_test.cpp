#include "base/background.h"

#include "base/error.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

int nice_of_this_thread() { return ::getpriority(PRIO_PROCESS, static_cast<id_t>(::gettid())); }

TEST(Background, LeavesProcessorsToOthersAndTheCallerAsItWas) {
  const int before = nice_of_this_thread();
  const int within = run_in_background([] { return nice_of_this_thread(); });
  EXPECT_GT(within, before);
  EXPECT_EQ(nice_of_this_thread(), before);
}

TEST(Background, ThrowsWhatTheCallThrows) {
  EXPECT_THROW(run_in_background([] { fail(ErrorCode::corrupt, "no"); }), Error);
}

}  // namespace
}  // namespace lamina
