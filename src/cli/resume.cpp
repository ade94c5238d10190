#include "cli/resume.h"

#include "deploy/process.h"

#include <algorithm>
#include <chrono>

namespace lamina::cli {

namespace {

constexpr std::chrono::seconds kEndLimit{5};

bool lost_its_head(const DeploymentRecord& record) {
  const auto head = std::find_if(record.processes.begin(), record.processes.end(),
                                 [](const RecordedProcess& process) { return process.role == "head"; });
  return head != record.processes.end() && !is_running(*head);
}

}  // namespace

std::optional<DeploymentRecord> take_up_interrupted(const std::filesystem::path& model_directory) {
  const std::string wanted = std::filesystem::absolute(model_directory).lexically_normal().string();
  std::optional<DeploymentRecord> found;
  for (const DeploymentRecord& record : list_records()) {
    const bool same = std::filesystem::path(record.model_directory).lexically_normal() == wanted;
    if (same && lost_its_head(record)) found = record;
  }
  if (!found) return found;
  // Local workers end with their head; whoever is still there can't be reached any more.
  for (const RecordedProcess& process : found->processes) {
    if (is_running(process)) end_process(process.pid, kEndLimit);
  }
  return found;
}

}  // namespace lamina::cli
