// What is running: a directory for each deployment, with its record, stores and logs.
#pragma once

#include "cluster/orchestrator.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <sys/types.h>

namespace lamina {

struct RecordedProcess {
  std::string role;  // "head" or the name of a worker
  pid_t pid = 0;
  std::uint64_t start_time = 0;  // as process_start_time() gives it
};

struct DeploymentRecord {
  std::string id;
  std::string model_directory;
  int port = 0;  // of the HTTP front end
  std::vector<RecordedProcess> processes;
  std::vector<Recovery> recoveries;  // the last of its head
};

// $XDG_STATE_HOME/lamina/deployments, or ~/.local/state/lamina/deployments.
std::filesystem::path deployments_directory();

// A fresh directory for a deployment; its name is the deployment's id.
std::filesystem::path create_deployment_directory();

void save_record(const DeploymentRecord& record);
// Those whose record can be read, oldest first.
std::vector<DeploymentRecord> list_records();
bool is_running(const RecordedProcess& process);
// Ends the processes that are still the recorded ones and removes the directory.
void remove_deployment(const DeploymentRecord& record);

}  // namespace lamina
