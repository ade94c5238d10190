// Programs that are run to their end.
#pragma once

#include <chrono>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace lamina {

struct CommandOptions {
  std::chrono::milliseconds limit{60'000};
  std::filesystem::path directory = {};                 // to run it in; empty: this process's
  std::map<std::string, std::string> environment = {};  // beside this process's, or instead of what it has
};

struct CommandResult {
  int status = 0;      // exit status; 128 + the number of the signal that ended it
  std::string output;  // at most 16 MiB; more is dropped
  std::string errors;
};

// Looks for words[0] on PATH and waits for its end. Its input is empty. Error(not_found) where there is no
// such program, Error(deadline_exceeded) when it took longer; it is then ended.
CommandResult run_command(const std::vector<std::string>& words, const CommandOptions& options = {});

}  // namespace lamina
