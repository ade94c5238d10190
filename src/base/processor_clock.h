// The processor time of this process.
#pragma once

#include <ctime>

namespace lamina {

// Seconds that all its threads have computed so far, in the kernel too.
inline double processor_seconds() {
  std::timespec time{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

}  // namespace lamina
