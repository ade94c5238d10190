#include "deploy/container_record.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "deploy/compose_file.h"
#include "deploy/docker.h"
#include "deploy/record.h"
#include "deploy/swarm.h"
#include "deploy/swarm_removal.h"
#include "serve/probe.h"
#include "serve/status_json.h"

#include <algorithm>

namespace lamina {

namespace {

constexpr const char* kFile = "containers.json";
constexpr std::uint64_t kMaxRecord = 1U << 20U;
constexpr std::chrono::seconds kProbe{2};
constexpr std::size_t kShortId = 12;

ContainerRecord read_container_record(const std::filesystem::path& path) {
  const std::string where = path.string();
  const Json json = parse_json(read_file(path, kMaxRecord), where);
  ContainerRecord record;
  record.name = path.parent_path().filename().string();
  record.target = json_string(json, "target", where);
  record.directory = json_string(json, "directory", where);
  record.docker_host = json_string(json, "docker_host", where);
  record.loaded_images = json_strings(json, "loaded_images", where);
  record.port = static_cast<int>(json_integer(json, "port", where));
  record.host = json_string(json, "host", where);
  record.https = json_bool(json, "https", where);
  return record;
}

}  // namespace

void save_record(const ContainerRecord& record) {
  std::error_code error;
  std::filesystem::create_directories(deployments_directory() / record.name, error);
  if (error) fail(ErrorCode::io, "can't create '{}': {}", deployments_directory().string(), error.message());
  const Json json = {{"target", record.target},
                     {"directory", record.directory},
                     {"docker_host", record.docker_host},
                     {"loaded_images", record.loaded_images},
                     {"port", record.port},
                     {"host", record.host},
                     {"https", record.https}};
  write_file(deployments_directory() / record.name / kFile, json.dump(1));
}

std::vector<ContainerRecord> list_container_records() {
  std::vector<ContainerRecord> records;
  std::error_code error;
  for (const auto& entry : std::filesystem::directory_iterator(deployments_directory(), error)) {
    if (!std::filesystem::exists(entry.path() / kFile)) continue;
    try {
      records.push_back(read_container_record(entry.path() / kFile));
    } catch (const Error& problem) {
      spdlog::warn("{}", problem.what());
    }
  }
  std::sort(records.begin(), records.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return records;
}

std::optional<ContainerRecord> find_unrecorded(const std::string& name) {
  const Docker docker = docker_of_environment();
  ContainerRecord record{.name = name, .target = "compose", .docker_host = docker.host()};
  // A name that no deployment has could lead anywhere as a path.
  if (project_name(name) != name) return std::nullopt;
  try {
    if (is_in_swarm(docker, name)) {
      record.target = "swarm";
      return record;
    }
    for (const DockerThing thing : {DockerThing::container, DockerThing::network, DockerThing::volume})
      if (!docker.find(thing, label_of(record.name)).empty()) return record;
  } catch (const Error& error) {
    spdlog::debug("{}", error.what());
  }
  return std::nullopt;
}

std::vector<ContainerProcess> containers_of(const ContainerRecord& record) {
  const std::string format = "{{.Label \"com.docker.compose.service\"}}\t{{.ID}}\t{{.Status}}";
  std::vector<ContainerProcess> processes;
  if (record.target == "swarm") {
    for (const SwarmProcess& task : tasks_in_swarm(Docker(record.docker_host), record.name))
      processes.push_back({task.service, task.task.substr(0, kShortId), task.state});
    return processes;
  }
  for (const std::string& line : lines_of(Docker(record.docker_host)
                                              .run({"container", "ls", "--all", "--filter",
                                                    "label=" + label_of(record.name), "--format", format}))) {
    const std::size_t first = line.find('\t');
    const std::size_t second = line.find('\t', first + 1);
    if (second == std::string::npos) continue;
    processes.push_back({line.substr(0, first),
                         line.substr(first + 1, std::min(second - first - 1, kShortId)),
                         line.substr(second + 1)});
  }
  std::sort(processes.begin(), processes.end(), [](const auto& a, const auto& b) { return a.role < b.role; });
  return processes;
}

std::vector<Recovery> recoveries_of(const ContainerRecord& record) {
  const std::string where = fmt::format("{}:{}/status", record.host, record.port);
  const auto answer = probe(record.host, record.port, record.https, "/status", kProbe);
  if (!answer) fail(ErrorCode::unavailable, "{} does not answer", where);
  if (answer->status == 401 || answer->status == 403)
    fail(ErrorCode::unavailable, "{} answers those alone who show a token or a certificate", where);
  if (answer->status != 200) fail(ErrorCode::unavailable, "{} answers {}", where, answer->status);
  const Json json = parse_json(answer->body, where);
  std::vector<Recovery> recoveries;
  for (const Json& recovery : json_array(json_member(json, "recovery", where), "last", where))
    recoveries.push_back(recovery_from_json(recovery, where));
  return recoveries;
}

void remove_deployment(const ContainerRecord& record) {
  const Docker docker(record.docker_host);
  if (record.target == "swarm") {
    remove_from_swarm(docker, record.name);
  } else {
    docker.remove_labelled(label_of(record.name));
  }
  for (const std::string& image : record.loaded_images) {
    if (!docker.image_id(image).empty()) docker.run({"image", "rm", image});
  }
  std::filesystem::remove_all(deployments_directory() / record.name);
}

}  // namespace lamina
