// Workers on the nodes of a Docker Swarm, measured there and served by a head there.
#pragma once

#include "deploy/benchmark_session.h"
#include "deploy/container_record.h"
#include "deploy/swarm_stack.h"

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace lamina {

// Has a worker on every node that takes tasks measure the model, and saves DIR/benchmark.json. `say` is told
// what may interest people, such as nodes that are left out. What was made in the Swarm is removed at the
// end, however it ends. Errors as of Swarm, and Error(already_exists) for a name that is in use.
Benchmark benchmark_on_swarm(const SwarmOptions& options, const BenchmarkOptions& measured,
                             const std::function<void(const std::string&)>& say);

// Has plans run on workers of the nodes that were measured: `lamina configure` with `arguments` (what comes
// after DIR, without where to run) measures them from a head on `source`, which must be this daemon's node.
// Saves DIR/plan.json and returns what that command printed. Errors and removal as above.
std::string configure_on_swarm(const SwarmOptions& options, const std::string& source,
                               const std::vector<std::string>& arguments);

// The name that the node of this host name or id, or the beginning of it, has as a device; `node` where there
// is none, or several.
std::string device_of_node(const std::string& node);

struct SwarmServeOptions {
  int port = 8765;                          // published by the source's node
  bool https = false;                       // what is served there
  std::vector<std::string> arguments = {};  // of the head, beside what it needs in a Swarm
  std::vector<NamedFile> secrets = {};      // files of the head alone, in kSecrets
  std::filesystem::path classes = {};       // file of class names; empty: none
};

struct SwarmDeployment {
  ContainerRecord record;
  SwarmNode source;  // where it serves
};

// Starts DIR/plan.json and waits until it serves: the head on the plan's source, workers on its devices.
// Where that fails, all that was made is removed.
SwarmDeployment deploy_on_swarm(const SwarmOptions& options, const SwarmServeOptions& served);

}  // namespace lamina
