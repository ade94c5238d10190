// Processes of this machine, by number.
#pragma once

#include <chrono>
#include <cstdint>

#include <sys/types.h>

namespace lamina {

// Asks a process to end and waits, then kills it. For children and others; never throws.
void end_process(pid_t pid, std::chrono::milliseconds limit);

// When a process began, in clock ticks since boot (field 22 of /proc/PID/stat), 0 if there is none: two
// processes of one number differ in it.
std::uint64_t process_start_time(pid_t pid);

}  // namespace lamina
