#include "cli/swarm.h"

#include "base/duration.h"
#include "base/error.h"
#include "deploy/image.h"

#include <CLI/CLI.hpp>

namespace lamina::cli {

void SwarmArguments::add_to(CLI::App& command) {
  command.add_option("--stack", stack, "name of the deployment in containers; without it the directory's");
  image = image_name(LAMINA_VERSION);
  command
      .add_option("--image", image,
                  "what nodes of a Swarm run: an image that all of them have, or one of a registry")
      ->capture_default_str();
  command.add_flag("--encrypted", encrypted, "encrypt what passes between nodes of a Swarm");
}

SwarmOptions SwarmArguments::options(const std::filesystem::path& directory, double startup,
                                     const TlsFiles& tls, const EndSignals& signals) const {
  SwarmOptions options;
  options.directory = directory;
  options.name = stack;
  options.image = image;
  options.tls = tls;
  options.encrypted = encrypted;
  options.startup = to_milliseconds(startup);
  options.interruption = [&signals] {
    if (signals.arrived()) fail(ErrorCode::cancelled, "ended by a signal; what was made is removed");
  };
  return options;
}

}  // namespace lamina::cli
