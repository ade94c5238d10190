#include "deploy/swarm_nodes.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <map>

namespace lamina {

namespace {

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
  node.host = json_string(description, "Hostname", where);
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
    node.cpus = cpus_of(json_string(labels, kNodeCpusLabel, where), node.host);
    node.threads = static_cast<int>(std::ceil(node.cpus));
  }
  if (labels.contains(kNodeMemoryLabel)) {
    node.memory = parse_bytes(json_string(labels, kNodeMemoryLabel, where),
                              fmt::format("label {} of node '{}'", kNodeMemoryLabel, node.host));
  }
  return node;
}

// Services differ by more than dots, hosts of a network by more than case.
std::string as_compared(const std::string& name) {
  std::string text = service_name(name);
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return text;
}

}  // namespace

std::string service_name(std::string node) {
  std::replace(node.begin(), node.end(), '.', '-');
  return node;
}

std::vector<SwarmNode> read_nodes(const std::vector<Json>& inspected) {
  std::vector<SwarmNode> nodes;
  std::map<std::string, int> bearers;
  for (const char* ours : {kHeadName, kHeadHost, kKeeperName, kKeeperHost, kRegistryName, kRegistryHost})
    ++bearers[ours];
  for (const Json& json : inspected) {
    nodes.push_back(node_of(json, "docker node inspect"));
    ++bearers[as_compared(nodes.back().host)];
  }
  for (SwarmNode& node : nodes) node.name = bearers[as_compared(node.host)] > 1 ? node.id : node.host;
  std::sort(nodes.begin(), nodes.end(), [](const auto& a, const auto& b) { return a.name < b.name; });
  return nodes;
}

}  // namespace lamina
