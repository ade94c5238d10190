// docker-compose.yml of a plan: one service a worker and one head, of the Compose Specification as
// docker-compose 1.27 and later and `docker compose` read it.
#pragma once

#include "plan/plan.h"

#include <string>
#include <utility>
#include <vector>

namespace lamina {

// Ports inside the containers' network; only the head's HTTP port is published.
constexpr int kWorkerPort = 7070;
constexpr int kAnswerPort = 7071;  // where the last worker delivers answers to the head
constexpr int kHttpPort = 8765;
constexpr int kKeeperPort = 7072;  // of the model, for a head on another machine

struct ComposeFileOptions {
  std::string image;  // unless LAMINA_IMAGE says otherwise
  std::string name;   // of the project, unless COMPOSE_PROJECT_NAME says otherwise
  bool tls = false;   // with certificates of the folder `secrets`, inside and for clients
  bool auth = false;  // clients show tokens of the file `secrets/tokens`
  // Whom the processes run as, UID:GID, unless LAMINA_USER says otherwise: who may read `secrets`.
  std::string user = "65532:65532";
};

// Limits are those of the plan's devices: `cpus`, else as many as threads, and memory.
// Error(invalid_argument) for a device whose name can't be one of a service.
std::string compose_file(const Plan& plan, const ComposeFileOptions& options);

// What the file needs of the folder `secrets`, by name.
std::vector<std::string> compose_secrets(const ComposeFileOptions& options);

// The parameters of the file with their defaults, as .env has them, in order.
std::vector<std::pair<std::string, std::string>> compose_parameters(const ComposeFileOptions& options);

// Names of the project's networks and volumes.
std::vector<std::string> compose_resources(const Plan& plan, const std::string& name);

// A name as Docker Compose takes it for a project, made from any text: "My Model" becomes "my_model".
std::string project_name(const std::string& text);

}  // namespace lamina
