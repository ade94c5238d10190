#include "deploy/swarm.h"

#include "base/error.h"
#include "base/text.h"
#include "deploy/compose_file.h"
#include "deploy/image.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>
#include <set>
#include <thread>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{200};
// After so long a task that can't be placed is not about to be.
constexpr std::chrono::seconds kPlacing{3};
constexpr std::chrono::seconds kRemoval{90};

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

// What Docker gives in quotes.
std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

double cpus_of(const std::string& text, const std::string& node) {
  std::size_t used = 0;
  double cpus = 0;
  try {
    cpus = std::stod(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || !(cpus >= 0.01 && cpus <= 4096)) {
    fail(ErrorCode::invalid_argument, "node '{}' has the label {}={}, expected a number of processors", node,
         kNodeCpusLabel, text);
  }
  return cpus;
}

SwarmNode node_of(const Json& json, const std::string& where) {
  SwarmNode node;
  node.id = json_string(json, "ID", where);
  const Json& description = json_member(json, "Description", where);
  node.name = json_string(description, "Hostname", where);
  const Json& status = json_member(json, "Status", where);
  node.ready = json_string(status, "State", where) == "ready";
  node.address = status.value("Addr", "");
  const Json& spec = json_member(json, "Spec", where);
  node.active = json_string(spec, "Availability", where) == "active";
  const Json& resources = json_member(description, "Resources", where);
  node.threads = static_cast<int>(json_integer(resources, "NanoCPUs", where) / 1'000'000'000);
  node.memory = json_size(resources, "MemoryBytes", where);
  const Json labels = spec.value("Labels", Json::object());
  if (labels.contains(kNodeCpusLabel)) {
    node.cpus = cpus_of(json_string(labels, kNodeCpusLabel, where), node.name);
    node.threads = static_cast<int>(std::ceil(node.cpus));
  }
  if (labels.contains(kNodeMemoryLabel)) {
    node.memory = parse_bytes(json_string(labels, kNodeMemoryLabel, where),
                              fmt::format("label {} of node '{}'", kNodeMemoryLabel, node.name));
  }
  return node;
}

struct Task {
  std::string service;
  std::string id;
  std::string node;
  std::string state;    // "running"
  bool wanted = false;  // the Swarm means it to run
  std::string error;
};

// Of services by name or id.
std::vector<Task> list_tasks(const Docker& docker, const std::vector<std::string>& services) {
  std::vector<std::string> words = {"service", "ps", "--no-trunc"};
  words.insert(words.end(), services.begin(), services.end());
  std::vector<Task> tasks;
  const std::string where = "docker service ps";
  for (const Json& json : docker.list(words)) {
    const std::string name = json_string(json, "Name", where);
    Task task;
    task.service = name.substr(0, name.rfind('.'));
    task.id = json_string(json, "ID", where);
    task.node = json_string(json, "Node", where);
    task.state = first_word(json_string(json, "CurrentState", where));
    task.wanted = json_string(json, "DesiredState", where) == "Running";
    task.error = unquoted(json_string(json, "Error", where));
    std::transform(task.state.begin(), task.state.end(), task.state.begin(),
                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
    tasks.push_back(std::move(task));
  }
  return tasks;
}

std::vector<std::string> names_of(const std::vector<SwarmService>& services) {
  std::vector<std::string> names;
  for (const SwarmService& service : services) names.push_back(service.name);
  return names;
}

bool manages_swarm(const Docker& docker) {
  return lines_of(docker.run({"info", "--format", "{{.Swarm.ControlAvailable}}"})).at(0) == "true";
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
  std::vector<SwarmNode> nodes;
  std::map<std::string, int> count;
  for (const Json& json : docker_.list(words)) {
    nodes.push_back(node_of(json, "docker node inspect"));
    ++count[nodes.back().name];
  }
  for (SwarmNode& node : nodes) {
    if (count[node.name] > 1) node.name = node.id;
  }
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return nodes;
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
  if (service.cpus > 0) words.insert(words.end(), {"--limit-cpu", fmt::format("{}", service.cpus)});
  if (service.memory > 0) words.insert(words.end(), {"--limit-memory", std::to_string(service.memory)});
  for (const auto& [secret, file] : service.secrets) {
    words.insert(words.end(), {"--secret", fmt::format("source={0},target={1},uid={2},gid={2},mode=0400",
                                                       secret, file, kImageUser)});
  }
  if (service.published_port > 0) {
    words.insert(words.end(), {"--publish", fmt::format("mode=host,published={},target={}",
                                                        service.published_port, kHttpPort)});
  }
  for (const std::string& variable : service.environment) words.insert(words.end(), {"--env", variable});
  words.push_back(image);
  words.insert(words.end(), service.arguments.begin(), service.arguments.end());
  docker_.run(words);
}

void Swarm::create_secret(const std::string& name, const std::filesystem::path& file,
                          const std::string& deployment) const {
  docker_.run({"secret", "create", "--label", label_of(deployment), name, file.string()});
}

bool Swarm::has_ended(const SwarmService& service) const {
  const std::vector<Task> tasks = list_tasks(docker_, {service.name});
  return std::any_of(tasks.begin(), tasks.end(), [](const Task& task) { return task.state == "complete"; });
}

std::string Swarm::last_words(const std::string& service) const {
  const CommandResult logs =
      run_command({"docker", "service", "logs", "--raw", "--tail", "3", service},
                  {.limit = std::chrono::seconds(10), .environment = docker_.environment()});
  return fmt::format("{}", fmt::join(lines_of(logs.output + logs.errors), "; "));
}

bool Swarm::all_run(const std::vector<SwarmService>& services, const std::string& image, bool waited) const {
  std::set<std::string> running;
  for (const Task& task : list_tasks(docker_, names_of(services))) {
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
  return running.size() == services.size();
}

void Swarm::wait_until_running(const std::vector<SwarmService>& services, const std::string& image,
                               std::chrono::milliseconds limit) const {
  const Clock::time_point begin = Clock::now();
  const Deadline deadline(limit);
  while (!all_run(services, image, Clock::now() - begin > kPlacing)) {
    if (deadline.passed()) {
      std::vector<std::string> late;
      for (const Task& task : list_tasks(docker_, names_of(services))) {
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
  for (const Task& task : list_tasks(docker, services)) {
    if (task.wanted) processes.push_back({task.service, task.id, task.state + " on " + task.node});
  }
  return processes;
}

bool is_in_swarm(const Docker& docker, const std::string& deployment) {
  if (!manages_swarm(docker)) return false;
  const std::string label = label_of(deployment);
  return !docker.find(DockerThing::service, label).empty() ||
         !docker.find(DockerThing::secret, label).empty();
}

void remove_from_swarm(const Docker& docker, const std::string& deployment) {
  const std::string label = label_of(deployment);
  const std::vector<std::string> services = docker.find(DockerThing::service, label);
  std::set<std::string> tasks;
  if (!services.empty()) {
    std::vector<std::string> words = {"service", "ps", "--quiet", "--no-trunc"};
    words.insert(words.end(), services.begin(), services.end());
    for (const std::string& task : lines_of(docker.run(words))) tasks.insert(task);
    words = {"service", "rm"};
    words.insert(words.end(), services.begin(), services.end());
    docker.run(words);
  }
  // Containers outlive their service for a moment. A node that doesn't answer can't say that they ended.
  const Deadline deadline(kRemoval);
  while (!tasks.empty()) {
    const CommandResult found =
        run_command({"docker", "inspect", "--type", "task", "--format", "{{.NodeID}}", *tasks.begin()},
                    {.environment = docker.environment()});
    if (found.status != 0) {
      tasks.erase(tasks.begin());
      continue;
    }
    const std::string node = lines_of(found.output).empty() ? "" : lines_of(found.output).front();
    const CommandResult state =
        run_command({"docker", "node", "inspect", "--format", "{{.Status.State}}", node},
                    {.environment = docker.environment()});
    if (state.output.find("ready") == std::string::npos) {
      tasks.erase(tasks.begin());
      continue;
    }
    if (deadline.passed()) {
      fail(ErrorCode::unavailable, "node '{}' did not end its tasks of '{}' within {} s", node, deployment,
           kRemoval.count());
    }
    std::this_thread::sleep_for(kPoll);
  }
  // A node reports a task's end a moment before it removes its container, which holds volume and network.
  while (true) {
    try {
      docker.remove_labelled(label);
      break;
    } catch (const Error&) {
      if (deadline.passed()) throw;
    }
    std::this_thread::sleep_for(kPoll);
  }
  const std::vector<std::string> secrets = docker.find(DockerThing::secret, label);
  if (!secrets.empty()) {
    std::vector<std::string> words = {"secret", "rm"};
    words.insert(words.end(), secrets.begin(), secrets.end());
    docker.run(words);
  }
}

void expect_free_name(const Docker& docker, const std::string& deployment) {
  const std::string label = label_of(deployment);
  for (const DockerThing thing : {DockerThing::service, DockerThing::container, DockerThing::network,
                                  DockerThing::volume, DockerThing::secret}) {
    if (!docker.find(thing, label).empty()) {
      fail(ErrorCode::already_exists,
           "the deployment '{0}' is there already; end it with 'lamina clean {0}' or give another --stack",
           deployment);
    }
  }
  for (const char* kind : {"service", "network", "volume", "secret"}) {
    for (const std::string& name : lines_of(docker.run({kind, "ls", "--format", "{{.Name}}"}))) {
      if (!name.starts_with(deployment + "_")) continue;
      fail(ErrorCode::already_exists,
           "the {} '{}' is there already and was not made by lamina; give another --stack", kind, name);
    }
  }
}

}  // namespace lamina
