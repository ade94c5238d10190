// This process's own words, to start another like it.
#pragma once

#include <string>
#include <vector>

namespace lamina::cli {

// The arguments after the program's name, as they were given (/proc/self/cmdline).
std::vector<std::string> own_arguments();

}  // namespace lamina::cli
