#include "deploy/swarm_removal.h"

#include "base/clock.h"
#include "base/error.h"

#include <set>
#include <thread>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{200};
constexpr std::chrono::seconds kRemoval{90};

bool manages_swarm(const Docker& docker) {
  return lines_of(docker.run({"info", "--format", "{{.Swarm.ControlAvailable}}"})).at(0) == "true";
}

}  // namespace

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
    } catch (const Error& error) {
      if (!says_in_use(error.what()) || deadline.passed()) throw;
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
