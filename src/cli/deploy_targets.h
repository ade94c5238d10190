// Which options of `lamina deploy` each target knows.
#pragma once

#include <map>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace lamina::cli {

// Error(invalid_argument) that names an option which was given and means nothing to that target ("local",
// "compose" or "swarm"): to leave it out silently might serve without a password.
void refuse_options_of_other_targets(const CLI::App& deploy, const std::string& target);

// What was given of the options that a bundle's .env has too, by their names there.
std::map<std::string, std::string> given_for_bundle(const CLI::App& deploy);
// What was given of the options that the head of a Swarm takes as they are, as words of its command line.
std::vector<std::string> given_for_swarm(const CLI::App& deploy);

}  // namespace lamina::cli
