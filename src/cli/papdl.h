// The program under its other name: PAPDL's four steps and their flags, as people who know PAPDL type them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace lamina::cli {

// Adds PAPDL's commands, which `run` gets as words of Lamina's. What PAPDL keeps in an artifact of each step
// is a directory here that holds what the step before it made, too.
void add_papdl(CLI::App& app, const std::function<void(const std::vector<std::string>&)>& run);

// PAPDL's flags of `clean`, which choose kinds of things to remove: a deployment goes as a whole, so they are
// taken and choose nothing. What is returned has to live as long as the command.
std::shared_ptr<bool> ignore_flags_of_papdl(CLI::App& clean);

}  // namespace lamina::cli
