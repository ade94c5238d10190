// Runs the clients and tools that tests compare with.
#pragma once

#include <string>

namespace lamina {

struct ShellResult {
  int status = 0;      // as waitpid() tells it; 0: all went well
  std::string output;  // standard output and standard error
};

// Runs a command of the shell and waits for its end. Throws std::runtime_error where none can be started.
ShellResult shell(const std::string& command);

}  // namespace lamina
