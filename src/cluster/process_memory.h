// What this process and this machine have left.
#pragma once

#include <cstdint>

namespace lamina {

// Bytes that count against this process's limit: where RLIMIT_DATA is set, all that was reserved (VmData),
// else what is in memory and no file backs (RssAnon; both of /proc/self/status).
std::uint64_t charged_memory();

// Bytes that a limit leaves to this process, or the machine where the limit is 0 or leaves more.
std::uint64_t free_memory(std::uint64_t limit);

// Has the heap keep what is freed for the next message instead of giving it back at once: fresh pages cost
// more than to fill them (docs/decisions/0004-freed-memory.md). Called once, by programs that serve, before
// they start threads.
void keep_freed_memory();

// Gives memory that was freed back to the system, where it counts as free again.
void return_freed_memory();

// The most memory this process may come to use: the least of RLIMIT_DATA, RLIMIT_AS and what the machine has.
std::uint64_t memory_limit();

}  // namespace lamina
