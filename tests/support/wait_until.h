// Waiting for what other threads or processes do.
#pragma once

#include "base/clock.h"

#include <chrono>
#include <thread>

#include <gtest/gtest.h>

namespace lamina {

// Fails the test where it takes longer than half a minute.
template <typename What>
void wait_until(const What& what) {
  const Deadline deadline(std::chrono::seconds(30));
  while (!what()) {
    ASSERT_FALSE(deadline.passed());
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
  }
}

}  // namespace lamina
