// What a deployment has left in a Swarm, found and removed by its label.
#pragma once

#include "deploy/docker.h"

#include <string>

namespace lamina {

// Whether this daemon is a Swarm's manager and has services or secrets of the deployment.
bool is_in_swarm(const Docker& docker, const std::string& deployment);

// Ends the services with this deployment's label, waits until no node runs them, and removes all else that
// carries it. Containers that have ended are removed by their nodes, a moment later. Error(unavailable)
// naming the node where that takes too long.
void remove_from_swarm(const Docker& docker, const std::string& deployment);

// Names of things of the Swarm that exist already and that a deployment of this name would make.
// Error(already_exists) names the first, and whether it is ours.
void expect_free_name(const Docker& docker, const std::string& deployment);

}  // namespace lamina
