// What the commands say of a Docker Swarm.
#pragma once

#include "cli/signals.h"
#include "deploy/swarm_fleet.h"

#include <filesystem>
#include <string>

#include <CLI/App.hpp>

namespace lamina::cli {

struct SwarmArguments {
  std::string stack;
  std::string image;
  bool encrypted = false;
  // --stack, --image and --encrypted.
  void add_to(CLI::App& command);
  // Ends with Error(cancelled) when a signal arrives; `signals` must outlive the options.
  SwarmOptions options(const std::filesystem::path& directory, double startup, const TlsFiles& tls,
                       const EndSignals& signals) const;
};

}  // namespace lamina::cli
