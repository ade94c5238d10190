// Durations from what people type.
#pragma once

#include <chrono>
#include <cstdint>

namespace lamina {

// Of seconds, the rest below a millisecond left out.
inline std::chrono::milliseconds to_milliseconds(double seconds) {
  return std::chrono::milliseconds(static_cast<std::int64_t>(seconds * 1e3));
}

}  // namespace lamina
