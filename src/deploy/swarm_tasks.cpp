#include "deploy/swarm_tasks.h"

#include <algorithm>
#include <cctype>

namespace lamina {

namespace {

std::string first_word(const std::string& text) { return text.substr(0, text.find(' ')); }

// What Docker gives in quotes.
std::string unquoted(std::string text) {
  std::erase(text, '"');
  return text;
}

}  // namespace

std::vector<SwarmTask> list_tasks(const Docker& docker, const std::vector<std::string>& services) {
  std::vector<std::string> words = {"service", "ps", "--no-trunc"};
  words.insert(words.end(), services.begin(), services.end());
  std::vector<SwarmTask> tasks;
  const std::string where = "docker service ps";
  for (const Json& json : docker.list(words)) {
    const std::string name = json_string(json, "Name", where);
    SwarmTask task;
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

}  // namespace lamina
