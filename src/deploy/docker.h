// Docker, driven through its command line, which knows contexts, DOCKER_HOST and credentials.
#pragma once

#include "base/json.h"
#include "deploy/command.h"

#include <chrono>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

// The label of everything made for a deployment: its value is the deployment's name.
constexpr const char* kDeploymentLabel = "systems.lamina.deployment";
// "KEY=VALUE" of that label.
std::string label_of(const std::string& deployment);

// Things of Docker that have labels and are removed by name.
enum class DockerThing { container, network, volume, secret, config, service };

// Lines that hold something.
std::vector<std::string> lines_of(const std::string& text);

// The last three of them, for an error: "…; …; …".
std::string last_lines(const std::string& text);

// Whether Docker says that a port is another's.
bool says_port_is_taken(const std::string& message);

// Whether Docker says that a volume or network can't be removed yet, as a container still has it.
bool says_in_use(const std::string& message);

// An image in a registry.
struct PushedImage {
  std::string name;     // "localhost:5000/lamina:0.1.0"
  std::string content;  // the same to the byte: "localhost:5000/lamina@sha256:…"
};

// All members are thread-safe; each runs a process.
class Docker {
 public:
  // `host` as in DOCKER_HOST; empty: what the environment and the current context say.
  explicit Docker(std::string host = "") : host_(std::move(host)) {}

  // The same daemon, with another directory of Docker's configuration.
  Docker with_configuration(std::filesystem::path directory) const;
  bool has_configuration() const { return !configuration_.empty(); }

  const std::string& host() const { return host_; }
  // Environment that other programs need to reach the same daemon.
  std::map<std::string, std::string> environment() const;

  // Error(not_found) without the program 'docker', Error(unavailable) where the daemon can't be reached or
  // may not be used.
  void check() const;

  // Runs `docker ARGUMENTS…` and returns its output. Errors as of check(); else Error(io) with what it said.
  std::string run(const std::vector<std::string>& arguments,
                  std::chrono::milliseconds limit = std::chrono::seconds(60)) const;
  // The same for listings: adds `--format '{{json .}}'` and parses each line.
  std::vector<Json> list(std::vector<std::string> arguments) const;

  // What a container wrote, output and errors.
  std::string logs(const std::string& container) const;

  // The id of an image, nothing where there is none of that name.
  std::string image_id(const std::string& name) const;
  // Loads a tar that write_image() made.
  void load(const std::filesystem::path& tar) const;
  // Gives a loaded image to a registry ("localhost:5000").
  PushedImage push(const std::string& name, const std::string& registry) const;

  // Names of what carries a label, "KEY" or "KEY=VALUE".
  std::vector<std::string> find(DockerThing thing, const std::string& label) const;
  // Ends and removes all that carries the label: containers (given `grace` to end), then networks, then
  // volumes. What others use is left; then Error(io) names it.
  void remove_labelled(const std::string& label, std::chrono::seconds grace = std::chrono::seconds(10)) const;

 private:
  std::string host_;
  std::filesystem::path configuration_;  // empty: what the environment says
};

// The one that DOCKER_HOST names, else that of the current context.
Docker docker_of_environment();

}  // namespace lamina
