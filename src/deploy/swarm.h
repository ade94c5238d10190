// Docker Swarm, asked through one of its managers: its nodes, and services pinned to them.
#pragma once

#include "base/clock.h"
#include "deploy/docker.h"
#include "deploy/swarm_nodes.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace lamina {

struct SwarmService {
  std::string name;
  std::string node;                    // id of the node that it is pinned to
  std::string alias;                   // its name on the network
  std::vector<std::string> arguments;  // of the program
  double cpus = 0;                     // 0: no limit
  std::uint64_t memory = 0;            // 0: no limit
  std::string volume;                  // mounted at kImageStore; empty: a fresh one, which goes with its task
  int port = 0;                        // that it listens on, published by its node as
  int published_port = 0;              // this; 0: not at all
  std::vector<std::pair<std::string, std::string>> secrets = {};  // name, and that of its file in kSecrets
  bool ends = false;                                              // by itself, with success
  bool restarts = false;                                          // when it fails
  // Runs there as long as the node takes tasks, and again when it comes back: else it waits for it.
  bool global = false;
};

// Called often while something takes long: throws to end it.
using Interruption = std::function<void()>;

// All members but the constructor throw as Docker::run() does. Thread-safe.
class Swarm {
 public:
  // Error(unavailable) where the daemon is no manager of a Swarm.
  Swarm(Docker docker, Interruption interruption);

  const Docker& docker() const { return docker_; }
  // For the same Swarm: nodes are told the passwords of registries that this `docker` knows.
  void use(Docker docker) { docker_ = std::move(docker); }
  // The id of the node that this daemon is.
  const std::string& own_node() const { return own_node_; }
  std::vector<SwarmNode> nodes() const;

  // How services are to name an image so that all nodes run the same: by its id where Docker has it without
  // a registry, so that no node asks one. Error(not_found) where Docker lacks an image without a registry.
  std::string resolve_image(const std::string& name) const;

  // Everything made carries `deployment` as the value of kDeploymentLabel.
  void create_network(const std::string& name, const std::string& deployment, bool encrypted) const;
  void create_service(const SwarmService& service, const std::string& network, const std::string& image,
                      const std::string& deployment) const;

  void create_secret(const std::string& name, const std::filesystem::path& file,
                     const std::string& deployment) const;

  // Returns once a task of each runs. Error(not_found) for a node without the image, Error(unavailable) for a
  // task that ends, can't be placed, or whose node leaves, Error(deadline_exceeded) naming the services and
  // states of those that take longer; all name service and node.
  void wait_until_running(const std::vector<SwarmService>& services, const std::string& image,
                          std::chrono::milliseconds limit) const;
  // Throws the same for those that ended since.
  void expect_running(const std::vector<SwarmService>& services, const std::string& image) const;
  // Whether a service that ends has done so.
  bool has_ended(const SwarmService& service) const;
  // What its tasks have printed, without errors.
  std::string output_of(const SwarmService& service) const;
  void interruption_point() const { interruption_(); }

 private:
  // Throws for what will not come right by itself. Whether all run.
  bool all_run(const std::vector<SwarmService>& services, const std::string& image, bool waited) const;
  std::string last_words(const std::string& service) const;

  Docker docker_;
  Interruption interruption_;
  std::string own_node_;
};

// What the services with this deployment's label run, by service: its name, node and state.
struct SwarmProcess {
  std::string service;
  std::string task;
  std::string state;  // "running on vm4"
};
std::vector<SwarmProcess> tasks_in_swarm(const Docker& docker, const std::string& deployment);

}  // namespace lamina
