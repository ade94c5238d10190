#include "deploy/docker.h"

#include "base/error.h"

#include <cstdlib>
#include <sstream>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::minutes kTransferLimit{10};

bool says(const std::string& text, std::string_view words) { return text.find(words) != std::string::npos; }

std::string without_end(std::string text) {
  text.erase(text.find_last_not_of(" \t\r\n") + 1);
  return text;
}

[[noreturn]] void fail_as_docker_says(const std::vector<std::string>& arguments, const std::string& said) {
  const std::string text = without_end(said);
  if (says(text, "permission denied while trying to connect") ||
      (says(text, "permission denied") && says(text, "docker daemon socket"))) {
    fail(ErrorCode::unavailable,
         "Docker's daemon may not be used by this user ({}); add the user to the group 'docker' or set "
         "DOCKER_HOST",
         text);
  }
  if (says(text, "Cannot connect to the Docker daemon") || says(text, "error during connect") ||
      says(text, "failed to connect to the docker API")) {
    fail(ErrorCode::unavailable, "Docker's daemon can't be reached ({}); start it or set DOCKER_HOST", text);
  }
  if (says(text, "No such image")) fail(ErrorCode::not_found, "docker {}: {}", arguments.front(), text);
  fail(ErrorCode::io, "docker {}: {}", arguments.front(), text);
}

const char* word_of(DockerThing thing) {
  switch (thing) {
    case DockerThing::container:
      return "container";
    case DockerThing::network:
      return "network";
    case DockerThing::volume:
      return "volume";
    case DockerThing::secret:
      return "secret";
    case DockerThing::config:
      return "config";
    default:
      return "service";
  }
}

}  // namespace

std::string label_of(const std::string& deployment) {
  return std::string(kDeploymentLabel) + "=" + deployment;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty()) lines.push_back(line);
  }
  return lines;
}

std::string last_lines(const std::string& text) {
  constexpr std::size_t kShown = 3;
  std::vector<std::string> lines = lines_of(text);
  if (lines.size() > kShown) lines.erase(lines.begin(), lines.end() - kShown);
  return fmt::format("{}", fmt::join(lines, "; "));
}

bool says_port_is_taken(const std::string& message) {
  return says(message, "port is already allocated") || says(message, "address already in use") ||
         says(message, "host-mode port already in use");
}

// Of volumes, of networks of one daemon, of networks of a Swarm.
bool says_in_use(const std::string& message) {
  return says(message, "volume is in use") || says(message, "has active endpoints") ||
         says(message, "is in use by");
}

Docker docker_of_environment() {
  const char* host = std::getenv("DOCKER_HOST");
  return Docker(host == nullptr ? "" : host);
}

std::map<std::string, std::string> Docker::environment() const {
  std::map<std::string, std::string> variables;
  if (!host_.empty()) variables["DOCKER_HOST"] = host_;
  if (!configuration_.empty()) variables["DOCKER_CONFIG"] = configuration_.string();
  return variables;
}

Docker Docker::with_configuration(std::filesystem::path directory) const {
  Docker docker(host_);
  docker.configuration_ = std::move(directory);
  return docker;
}

std::string Docker::run(const std::vector<std::string>& arguments, std::chrono::milliseconds limit) const {
  std::vector<std::string> words = {"docker"};
  words.insert(words.end(), arguments.begin(), arguments.end());
  CommandResult result;
  try {
    result = run_command(words, {.limit = limit, .environment = environment()});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    fail(ErrorCode::not_found, "there is no program 'docker' on PATH; install Docker's command line");
  }
  if (result.status != 0) fail_as_docker_says(arguments, result.errors + result.output);
  return result.output;
}

std::vector<Json> Docker::list(std::vector<std::string> arguments) const {
  arguments.insert(arguments.end(), {"--format", "{{json .}}"});
  std::vector<Json> found;
  for (const std::string& line : lines_of(run(arguments)))
    found.push_back(parse_json(line, "docker " + arguments.front()));
  return found;
}

void Docker::check() const { run({"version", "--format", "{{.Server.Version}}"}); }

std::string Docker::logs(const std::string& container) const {
  const CommandResult result =
      run_command({"docker", "logs", "--tail", "20", container}, {.environment = environment()});
  return result.output + result.errors;
}

std::string Docker::image_id(const std::string& name) const {
  return without_end(run({"image", "ls", "--quiet", "--no-trunc", name}));
}

void Docker::load(const std::filesystem::path& tar) const {
  run({"load", "--quiet", "--input", tar.string()}, kTransferLimit);
}

PushedImage Docker::push(const std::string& name, const std::string& registry) const {
  const std::string there = registry + "/" + name;
  PushedImage pushed{there, ""};
  const bool known = !image_id(there).empty();
  run({"tag", name, there});
  const auto untag = [&] {
    if (!known) run({"image", "rm", "--no-prune", there});
  };
  try {
    run({"push", "--quiet", there}, kTransferLimit);
    const std::string where = "docker image inspect";
    for (const std::string& content :
         parse_json(run({"image", "inspect", "--format", "{{json .RepoDigests}}", there}), where)
             .get<std::vector<std::string>>()) {
      if (content.starts_with(there.substr(0, there.rfind(':')) + "@")) pushed.content = content;
    }
  } catch (const Error&) {
    untag();
    throw;
  }
  untag();
  return pushed;
}

std::vector<std::string> Docker::find(DockerThing thing, const std::string& label) const {
  std::vector<std::string> arguments = {word_of(thing), "ls", "--quiet", "--filter", "label=" + label};
  if (thing == DockerThing::container) arguments.insert(arguments.end(), {"--all", "--no-trunc"});
  return lines_of(run(arguments));
}

void Docker::remove_labelled(const std::string& label, std::chrono::seconds grace) const {
  const auto each = [&](DockerThing thing, std::vector<std::string> words,
                        std::chrono::milliseconds limit = std::chrono::seconds(60)) {
    const std::vector<std::string> names = find(thing, label);
    if (names.empty()) return;
    words.insert(words.end(), names.begin(), names.end());
    run(words, limit);
  };
  each(DockerThing::container, {"stop", "--time", std::to_string(grace.count())},
       grace * 4 + std::chrono::seconds(60));
  each(DockerThing::container, {"rm", "--force", "--volumes"});
  each(DockerThing::network, {"network", "rm"});
  each(DockerThing::volume, {"volume", "rm"});
}

}  // namespace lamina
