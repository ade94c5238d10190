// The nodes of a Docker Swarm as machines.
#pragma once

#include "base/json.h"

#include <cstdint>
#include <string>
#include <vector>

namespace lamina {

// Labels of a node that hold its workers to less than all it has, e.g. 1 and 2GiB.
constexpr const char* kNodeCpusLabel = "systems.lamina.cpus";
constexpr const char* kNodeMemoryLabel = "systems.lamina.memory";

// Names on a deployment's network, and of its services, that no worker may have.
constexpr const char* kHeadName = "head";
constexpr const char* kHeadHost = "lamina-head";
constexpr const char* kKeeperName = "keeper";
constexpr const char* kKeeperHost = "lamina-keeper";
constexpr const char* kRegistryName = "registry";
constexpr const char* kRegistryHost = "lamina-registry";

struct SwarmNode {
  std::string id;
  std::string host;  // what the machine calls itself
  // Of its worker: its host, or its id where another node or a process of ours would go by that, too.
  std::string name;
  std::string address;
  bool ready = false;        // its daemon answers the managers
  bool active = false;       // it takes tasks
  int threads = 0;           // its processors, or the label's rounded up
  double cpus = 0;           // as its label says; 0 without one: no limit
  std::uint64_t memory = 0;  // bytes, or the label's
};

// Of what `docker node inspect` says of each, by name. Error(invalid_argument) for a label that can't be
// read.
std::vector<SwarmNode> read_nodes(const std::vector<Json>& inspected);

// A node's name as that of a service: dots are not for services.
std::string service_name(std::string node);

}  // namespace lamina
