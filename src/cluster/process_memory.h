// What this process and this machine have left.
#pragma once

#include <cstdint>

namespace lamina {

// Bytes of memory of this process that no file backs (RssAnon of /proc/self/status).
std::uint64_t anonymous_memory();

// The greatest such use a limit (0: none) and the machine leave to this process, less what it uses.
std::uint64_t free_memory(std::uint64_t limit);

// The most memory this process may come to use: the least of RLIMIT_DATA, RLIMIT_AS and what the machine has.
std::uint64_t memory_limit();

}  // namespace lamina
