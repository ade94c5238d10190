// How long to leave alone what fails again and again.
#pragma once

#include <algorithm>
#include <chrono>

namespace lamina {

// None after the first failure, which may be anything, then 1 s, 2 s, 4 s … up to `longest`.
inline std::chrono::seconds growing_pause(int failures, std::chrono::seconds longest) {
  constexpr int kMostDoublings = 5;
  if (failures < 2) return std::chrono::seconds(0);
  return std::min(std::chrono::seconds(1 << std::min(failures - 2, kMostDoublings)), longest);
}

}  // namespace lamina
