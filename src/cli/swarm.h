// What the commands say of a Docker Swarm.
#pragma once

#include "cli/signals.h"
#include "cli/steps.h"
#include "deploy/swarm_fleet.h"

#include <filesystem>
#include <string>

#include <CLI/App.hpp>

namespace lamina::cli {

struct SwarmArguments {
  std::string stack;
  std::string image;
  bool encrypted = false;
  bool registry = false;
  int registry_port = 5000;
  // --stack, --image, --with-registry, --registry-port and --encrypted.
  void add_to(CLI::App& command);
  // Ends with Error(cancelled) when a signal arrives; `signals` must outlive the options.
  SwarmOptions options(const std::filesystem::path& directory, double startup, const TlsFiles& tls,
                       const EndSignals& signals) const;
};

// How the head of a Swarm is to serve, by what was given of the command's options. Throws for what it would
// not start with.
SwarmServeOptions swarm_serve_options(const ServeArguments& arguments, const CLI::App& command);

}  // namespace lamina::cli
