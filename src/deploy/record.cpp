#include "deploy/record.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "deploy/process.h"
#include "serve/status_json.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>

#include <unistd.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxRecord = 1U << 20U;
constexpr std::chrono::seconds kEndLimit{20};

DeploymentRecord read_record(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = parse_json(read_file(path, kMaxRecord), where);
  DeploymentRecord record;
  record.id = path.parent_path().filename().string();
  record.model_directory = json_string(json, "model_directory", where);
  record.port = static_cast<int>(json_integer(json, "port", where));
  for (const Json& process : json_array(json, "processes", where)) {
    const std::int64_t pid = json_integer(process, "pid", where);
    // 0 and below would mean groups of processes to kill().
    if (pid < 2) fail(ErrorCode::corrupt, "{}: process {}", where, pid);
    record.processes.push_back({json_string(process, "role", where), static_cast<pid_t>(pid),
                                json_size(process, "start_time", where)});
  }
  if (json.contains("recoveries")) {
    for (const Json& recovery : json_array(json, "recoveries", where))
      record.recoveries.push_back(recovery_from_json(recovery, where));
  }
  return record;
}

}  // namespace

std::filesystem::path deployments_directory() {
  const char* state = std::getenv("XDG_STATE_HOME");
  if (state != nullptr && *state == '/') return std::filesystem::path(state) / "lamina" / "deployments";
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') {
    fail(ErrorCode::not_found, "neither XDG_STATE_HOME nor HOME is set; one is needed to record what runs");
  }
  return std::filesystem::path(home) / ".local" / "state" / "lamina" / "deployments";
}

std::filesystem::path create_deployment_directory() {
  std::error_code error;
  std::filesystem::create_directories(deployments_directory(), error);
  if (error) fail(ErrorCode::io, "can't create '{}': {}", deployments_directory().string(), error.message());
  std::string pattern = (deployments_directory() / "XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_with_errno(errno, fmt::format("can't create a directory in '{}'", deployments_directory().string()));
  }
  return pattern;
}

void save_record(const DeploymentRecord& record) {
  Json processes = Json::array();
  for (const RecordedProcess& process : record.processes) {
    processes.push_back({{"role", process.role}, {"pid", process.pid}, {"start_time", process.start_time}});
  }
  Json recoveries = Json::array();
  for (const Recovery& recovery : record.recoveries) recoveries.push_back(to_json(recovery));
  const Json json = {{"model_directory", record.model_directory},
                     {"port", record.port},
                     {"processes", processes},
                     {"recoveries", recoveries}};
  write_file(deployments_directory() / record.id / "record.json", json.dump(1));
}

std::vector<DeploymentRecord> list_records() {
  std::vector<std::pair<std::filesystem::file_time_type, DeploymentRecord>> found;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(deployments_directory(), error)) {
    const std::filesystem::path path = entry.path() / "record.json";
    if (!std::filesystem::exists(path)) continue;
    try {
      found.emplace_back(std::filesystem::last_write_time(path), read_record(path));
    } catch (const Error& problem) {
      spdlog::warn("{}", problem.what());
    }
  }
  std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<DeploymentRecord> records;
  for (auto& [time, record] : found) records.push_back(std::move(record));
  return records;
}

bool is_running(const RecordedProcess& process) {
  const std::uint64_t now = process_start_time(process.pid);
  return now != 0 && now == process.start_time;
}

void remove_deployment(const DeploymentRecord& record) {
  // The head first: it drains what is under way, for which it needs the workers.
  std::vector<RecordedProcess> processes = record.processes;
  std::stable_partition(processes.begin(), processes.end(),
                        [](const RecordedProcess& p) { return p.role == "head"; });
  for (const RecordedProcess& process : processes) {
    if (is_running(process)) end_process(process.pid, kEndLimit);
  }
  std::filesystem::remove_all(deployments_directory() / record.id);
}

}  // namespace lamina
