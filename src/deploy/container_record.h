// What runs in containers for this user: DIR/NAME/containers.json among the deployments. Docker's labels say
// what belongs to a deployment; the record says which there are and which daemon has them.
#pragma once

#include "cluster/orchestrator.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

struct ContainerRecord {
  std::string name = {};         // of the project or stack, and the value of the label on all its parts
  std::string target = {};       // "compose" or "swarm"
  std::string directory = {};    // the bundle
  std::string docker_host = {};  // as DOCKER_HOST was; empty: not set
  std::vector<std::string> loaded_images = {};  // names of images that Docker got for it
  int port = 0;                                 // where it serves
  std::string host = "127.0.0.1";               // likewise, as this machine reaches it
  bool https = false;
};

struct ContainerProcess {
  std::string role;   // service
  std::string id;     // first 12 digits of the container's
  std::string state;  // "running (healthy)"
};

void save_record(const ContainerRecord& record);
// Those whose record can be read, by name.
std::vector<ContainerRecord> list_container_records();
// A deployment of that name that Docker has, without a record here: Compose started it by itself. Nothing
// where there is none or no Docker.
std::optional<ContainerRecord> find_unrecorded(const std::string& name);
// Its containers; Errors as of Docker::run().
std::vector<ContainerProcess> containers_of(const ContainerRecord& record);
// What it recovered from, latest last, as its head tells who asks without token and certificate.
// Error(unavailable) where it does not answer, or others alone.
std::vector<Recovery> recoveries_of(const ContainerRecord& record);
// Ends and removes all that carries its label and the image that was loaded for it, then the record.
void remove_deployment(const ContainerRecord& record);

}  // namespace lamina
