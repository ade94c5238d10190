// What the services of a Swarm run.
#pragma once

#include "deploy/docker.h"

#include <string>
#include <vector>

namespace lamina {

struct SwarmTask {
  std::string service;
  std::string id;
  std::string node;
  std::string state;    // "running"
  bool wanted = false;  // the Swarm means it to run
  std::string error;
};

// Of services by name or id, those that have ended too. Throws as Docker::run() does.
std::vector<SwarmTask> list_tasks(const Docker& docker, const std::vector<std::string>& services);

}  // namespace lamina
