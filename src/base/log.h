// Logging: one line an event to standard error, with time, level and the process's name.
#pragma once

#include <string>

#include <spdlog/spdlog.h>

namespace lamina {

// Sets name and level ("debug", "info", "warn", "error") for this process. Call once, before threads start.
// Afterwards use spdlog::info and its like from any thread.
void start_logging(const std::string& process, const std::string& level);

}  // namespace lamina
