#include "support/shell.h"

#include <array>
#include <cstdio>
#include <stdexcept>

namespace lamina {

ShellResult shell(const std::string& command) {
  FILE* pipe = ::popen(("{ " + command + "; } 2>&1").c_str(), "r");
  if (pipe == nullptr) throw std::runtime_error("can't start " + command);
  ShellResult result;
  std::array<char, 4096> block{};
  for (std::size_t got = 0; (got = std::fread(block.data(), 1, block.size(), pipe)) > 0;) {
    result.output.append(block.data(), got);
  }
  result.status = ::pclose(pipe);
  return result;
}

}  // namespace lamina
