#include "deploy/swarm.h"

#include "base/error.h"
#include "deploy/compose_file.h"
#include "deploy/image.h"
#include "deploy/swarm_tasks.h"

#include <algorithm>
#include <set>
#include <thread>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{200};
// After so long a task that can't be placed is not about to be.
constexpr std::chrono::seconds kPlacing{3};

std::vector<std::string> names_of(const std::vector<SwarmService>& services) {
  std::vector<std::string> names;
  for (const SwarmService& service : services) names.push_back(service.name);
  return names;
}

}  // namespace

Swarm::Swarm(Docker docker, Interruption interruption)
    : docker_(std::move(docker)), interruption_(std::move(interruption)) {
  docker_.check();
  const std::vector<std::string> words =
      lines_of(docker_.run({"info", "--format", "{{.Swarm.NodeID}}\n{{.Swarm.ControlAvailable}}"}));
  if (words.size() < 2 || words[1] != "true") {
    fail(ErrorCode::unavailable, "this Docker {}; {}",
         words.size() < 2 ? "is in no Swarm" : "is a Swarm's worker, not its manager",
         words.size() < 2 ? "start one with 'docker swarm init' and have the other machines join it"
                          : "run this on a manager, or set DOCKER_HOST to one");
  }
  own_node_ = words[0];
}

std::vector<SwarmNode> Swarm::nodes() const {
  std::vector<std::string> words = {"node", "inspect"};
  const std::vector<std::string> ids = lines_of(docker_.run({"node", "ls", "--quiet"}));
  words.insert(words.end(), ids.begin(), ids.end());
  return read_nodes(docker_.list(words));
}

std::string Swarm::resolve_image(const std::string& name) const {
  if (name.find('/') != std::string::npos) return name;
  const std::string id = docker_.image_id(name);
  if (id.empty()) {
    fail(ErrorCode::not_found,
         "Docker has no image '{}'; 'lamina image build --load' makes it, and every node needs it", name);
  }
  return id;
}

void Swarm::create_network(const std::string& name, const std::string& deployment, bool encrypted) const {
  std::vector<std::string> words = {"network",      "create",  "--driver",          "overlay",
                                    "--attachable", "--label", label_of(deployment)};
  if (encrypted) words.insert(words.end(), {"--opt", "encrypted"});
  words.push_back(name);
  docker_.run(words);
}

void Swarm::create_service(const SwarmService& service, const std::string& network, const std::string& image,
                           const std::string& deployment) const {
  const std::string label = label_of(deployment);
  // Endpoints by DNS and ports of the node itself need no IPVS.
  std::vector<std::string> words = {
      "service",
      "create",
      "--detach",
      "--quiet",
      "--no-resolve-image",
      "--name",
      service.name,
      "--label",
      label,
      "--container-label",
      label,
      "--endpoint-mode",
      "dnsrr",
      "--network",
      fmt::format("name={},alias={}", network, service.alias),
      "--hostname",
      service.alias,
      "--constraint",
      "node.id==" + service.node,
      "--read-only",
      "--cap-drop",
      "ALL",
      "--mount",
      "type=tmpfs,destination=/tmp",
      "--mount",
      fmt::format("type=volume,{}destination={}",
                  service.volume.empty() ? "" : "source=" + service.volume + ",", kImageStore),
      "--restart-condition",
      service.restarts ? "on-failure" : "none",
      "--restart-delay",
      "1s"};
  if (service.global) words.insert(words.end(), {"--mode", "global"});
  if (service.cpus > 0) words.insert(words.end(), {"--limit-cpu", fmt::format("{}", service.cpus)});
  if (service.memory > 0) words.insert(words.end(), {"--limit-memory", std::to_string(service.memory)});
  for (const auto& [secret, file] : service.secrets) {
    words.insert(words.end(), {"--secret", fmt::format("source={0},target={1},uid={2},gid={2},mode=0400",
                                                       secret, file, kImageUser)});
  }
  if (service.published_port > 0) {
    words.insert(words.end(), {"--publish", fmt::format("mode=host,published={},target={}",
                                                        service.published_port, service.port)});
  }
  if (docker_.has_configuration()) words.emplace_back("--with-registry-auth");
  words.push_back(image);
  words.insert(words.end(), service.arguments.begin(), service.arguments.end());
  docker_.run(words);
}

void Swarm::create_secret(const std::string& name, const std::filesystem::path& file,
                          const std::string& deployment) const {
  docker_.run({"secret", "create", "--label", label_of(deployment), name, file.string()});
}

bool Swarm::has_ended(const SwarmService& service) const {
  const std::vector<SwarmTask> tasks = list_tasks(docker_, {service.name});
  return std::any_of(tasks.begin(), tasks.end(),
                     [](const SwarmTask& task) { return task.state == "complete"; });
}

std::string Swarm::output_of(const SwarmService& service) const {
  const CommandResult logs = run_command({"docker", "service", "logs", "--raw", service.name},
                                         {.environment = docker_.environment()});
  return logs.output;
}

std::string Swarm::last_words(const std::string& service) const {
  const CommandResult logs =
      run_command({"docker", "service", "logs", "--raw", "--tail", "3", service},
                  {.limit = std::chrono::seconds(10), .environment = docker_.environment()});
  return fmt::format("{}", fmt::join(lines_of(logs.output + logs.errors), "; "));
}

bool Swarm::all_run(const std::vector<SwarmService>& services, const std::string& image, bool waited) const {
  // The first to be told: it explains whatever becomes of its tasks.
  const std::vector<SwarmNode> all = nodes();
  for (const SwarmService& service : services) {
    const auto node = std::find_if(all.begin(), all.end(),
                                   [&](const SwarmNode& known) { return known.id == service.node; });
    if (node == all.end() || !node->ready || !node->active) {
      fail(ErrorCode::unavailable, "node '{}' {} while '{}' was started there",
           node == all.end() ? service.node : node->name,
           node != all.end() && node->ready ? "was taken out of service" : "left", service.name);
    }
  }
  std::set<std::string> running;
  for (const SwarmTask& task : list_tasks(docker_, names_of(services))) {
    if (task.state == "running" && task.wanted) running.insert(task.service);
    if (task.error.find("No such image") != std::string::npos) {
      fail(ErrorCode::not_found,
           "node '{}' has no image '{}'; run 'docker load' there with the file that 'lamina image build' "
           "writes, or give it to a registry (--push) and name it by --image",
           task.node, image);
    }
    if (says_port_is_taken(task.error)) {
      fail(ErrorCode::unavailable, "the port of '{}' is taken on its node; give another --port ({})",
           task.service, task.error);
    }
    const auto service = std::find_if(services.begin(), services.end(),
                                      [&](const SwarmService& known) { return known.name == task.service; });
    if (task.state == "complete" && service != services.end() && service->ends) {
      running.insert(task.service);
      continue;
    }
    if (task.state == "failed" || task.state == "rejected" || task.state == "complete") {
      const std::string words = last_words(task.service);
      fail(ErrorCode::unavailable, "'{}' ended on node '{}': {}{}", task.service, task.node, task.error,
           words.empty() ? "" : "; " + words);
    }
    if (task.state == "pending" && waited && !task.error.empty())
      fail(ErrorCode::unavailable, "'{}' can't run on its node: {}", task.service, task.error);
  }
  return running.size() == services.size();
}

void Swarm::wait_until_running(const std::vector<SwarmService>& services, const std::string& image,
                               std::chrono::milliseconds limit) const {
  const Clock::time_point begin = Clock::now();
  const Deadline deadline(limit);
  while (!all_run(services, image, Clock::now() - begin > kPlacing)) {
    if (deadline.passed()) {
      std::vector<std::string> late;
      for (const SwarmTask& task : list_tasks(docker_, names_of(services))) {
        if (task.wanted && task.state != "running")
          late.push_back(fmt::format("'{}' on node '{}' is still {}", task.service, task.node, task.state));
      }
      fail(ErrorCode::deadline_exceeded, "after {} s {}",
           std::chrono::duration_cast<std::chrono::seconds>(limit).count(), fmt::join(late, ", "));
    }
    interruption_();
    std::this_thread::sleep_for(kPoll);
  }
}

void Swarm::expect_running(const std::vector<SwarmService>& services, const std::string& image) const {
  all_run(services, image, true);
}

std::vector<SwarmProcess> tasks_in_swarm(const Docker& docker, const std::string& deployment) {
  const std::vector<std::string> services = docker.find(DockerThing::service, label_of(deployment));
  if (services.empty()) return {};
  std::vector<SwarmProcess> processes;
  for (const SwarmTask& task : list_tasks(docker, services)) {
    if (task.wanted) processes.push_back({task.service, task.id, task.state + " on " + task.node});
  }
  return processes;
}

}  // namespace lamina
