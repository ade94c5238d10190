// Workers on the nodes of a Docker Swarm, measured there and served by a head there.
#pragma once

#include "deploy/benchmark_session.h"
#include "deploy/container_record.h"
#include "deploy/swarm.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

namespace lamina {

struct SwarmOptions {
  std::filesystem::path directory;  // of the sliced model
  std::string name;                 // of the deployment; empty: the directory's
  std::string image;                // without a registry in its name, every node must have it
  TlsFiles tls = {};       // the head's, of a directory that `lamina cert` made, where the worker's are too
  bool encrypted = false;  // the network; needs IPsec in the nodes' kernels
  std::chrono::milliseconds startup{60'000};
  Interruption interruption = [] {};
};

// Has a worker on every node that takes tasks measure the model, and saves DIR/benchmark.json. `say` is told
// what may interest people, such as nodes that are left out. What was made in the Swarm is removed at the
// end, however it ends. Errors as of Swarm, and Error(already_exists) for a name that is in use.
Benchmark benchmark_on_swarm(const SwarmOptions& options, const BenchmarkOptions& measured,
                             const std::function<void(const std::string&)>& say);

// The name that the node with this id, or the beginning of it, has as a device; `id` where there is none.
std::string device_of_node(const std::string& id);

struct SwarmServeOptions {
  int port = 8765;                            // published by the source's node
  std::vector<std::string> environment = {};  // settings of the head, NAME=VALUE
};

// Starts DIR/plan.json and waits until it serves: the head on the plan's source, which must be the node of
// this daemon, and workers on its devices. Where that fails, all that was made is removed.
ContainerRecord deploy_on_swarm(const SwarmOptions& options, const SwarmServeOptions& served);

}  // namespace lamina
