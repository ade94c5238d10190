#include "cli/swarm.h"

#include "base/duration.h"
#include "base/error.h"
#include "cli/deploy_targets.h"
#include "deploy/image.h"
#include "serve/tokens.h"

#include <initializer_list>
#include <vector>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void SwarmArguments::add_to(CLI::App& command) {
  command.add_option("--stack", stack, "name of the deployment in containers; without it the directory's");
  image = image_name(LAMINA_VERSION);
  command
      .add_option("--image", image,
                  "what nodes of a Swarm run: an image that all of them have, or one of a registry")
      ->capture_default_str();
  auto* own = command.add_flag(
      "--with-registry", registry,
      "start Debian's docker-registry on this node of a Swarm, with a password, and have the nodes get the "
      "image there; needs --certificates with a certificate named 'registry'");
  command.add_option("--registry-port", registry_port, "port of that node for it")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535))
      ->needs(own);
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
  options.registry_port = registry ? registry_port : 0;
  if (registry && image.find('/') != std::string::npos) {
    fail(ErrorCode::invalid_argument,
         "--image is '{}' with --with-registry, expected one that this Docker has, without a registry",
         image);
  }
  options.startup = to_milliseconds(startup);
  options.interruption = [&signals] {
    if (signals.arrived()) fail(ErrorCode::cancelled, "ended by a signal; what was made is removed");
  };
  return options;
}

SwarmServeOptions swarm_serve_options(const ServeArguments& arguments, const CLI::App& command) {
  const std::string in_container = std::string(kSecrets) + "/";
  HttpArguments http = arguments.http;
  // Who has certificates has them for clients, too, unless others may ask by tokens.
  if (arguments.tls.enabled()) {
    http.tls = true;
    if (http.tokens.empty()) http.certificates = true;
  }
  // These throw for what the head would not start with.
  http.options(arguments.tls);
  if (!http.tokens.empty()) load_tokens(http.tokens);
  SwarmServeOptions served;
  served.port = arguments.port;
  served.https = http.tls;
  served.classes = arguments.classes;
  served.arguments = given_for_swarm(command);
  const auto add = [&](std::initializer_list<std::string> words) {
    served.arguments.insert(served.arguments.end(), words);
  };
  if (http.tls) add({"--tls"});
  if (http.certificates) add({"--auth-certificates"});
  if (!http.certificate.empty()) {
    served.secrets.emplace_back(http.certificate, "http.pem");
    served.secrets.emplace_back(http.key, "http.key");
    add({"--http-cert", in_container + "http.pem", "--http-key", in_container + "http.key"});
  }
  if (!http.tokens.empty()) {
    served.secrets.emplace_back(http.tokens, "tokens");
    add({"--auth", in_container + "tokens"});
  }
  return served;
}

}  // namespace lamina::cli
