// Running a parser that can't be trusted with hostile input in a process of its own.
#pragma once

#include <chrono>
#include <cstddef>
#include <functional>
#include <string>

namespace lamina {

struct SandboxLimits {
  std::chrono::seconds deadline{60};
  std::size_t max_result = std::size_t{512} << 20U;  // bytes of the answer
  std::size_t max_memory = std::size_t{2}
                           << 30U;  // bytes the child may allocate beyond what this process has
};

// Forks, calls `work` in the child and returns what it returned. An Error thrown there is thrown here; a
// crash, a hang or an answer beyond the limits is Error(corrupt) naming `what`. The child sees this process's
// memory and inherits its files; nothing it changes is seen here. Call it before threads hold locks that
// `work` needs.
std::string run_in_child(const std::string& what, const std::function<std::string()>& work,
                         const SandboxLimits& limits = {});

}  // namespace lamina
