// Deploying bundles with Docker Compose.
#pragma once

#include "deploy/container_record.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <string>

namespace lamina {

struct ComposeOptions {
  std::filesystem::path bundle;
  std::string name;  // of the project; empty: as the bundle says
  // Parameters of the bundle that are not to be as .env has them.
  std::map<std::string, std::string> parameters = {};
  std::chrono::milliseconds startup{60'000};
};

// Starts a bundle, which is checked first, and waits until it serves. What was made is removed where that
// fails. An image that Docker lacks is loaded from the bundle's image.tar.
// Error(corrupt) for an altered bundle, Error(already_exists) where the project exists: ours or another's,
// which is not touched; Error(not_found) without Docker, Compose or the image; Error(unavailable) where the
// daemon can't be used, the port is taken or a container ends, with the end of what it said.
ContainerRecord start_compose(const ComposeOptions& options);

}  // namespace lamina
