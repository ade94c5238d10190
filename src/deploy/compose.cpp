#include "deploy/compose.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "deploy/bundle.h"
#include "deploy/compose_file.h"
#include "deploy/docker.h"
#include "plan/plan_file.h"
#include "serve/probe.h"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>
#include <thread>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxParameters = 64U << 10U;
constexpr std::chrono::milliseconds kPoll{50};
constexpr int kPollsBetweenLooks = 10;  // at the containers, which takes a process each time
constexpr std::chrono::minutes kUpLimit{5};
constexpr const char* kComposeLabel = "com.docker.compose.project";

// NAME=VALUE a line; '#' begins a remark.
std::map<std::string, std::string> read_parameters(const std::filesystem::path& path) {
  std::map<std::string, std::string> parameters;
  std::istringstream stream(std::filesystem::exists(path) ? read_file(path, kMaxParameters) : "");
  for (std::string line; std::getline(stream, line);) {
    const std::size_t equals = line.find('=');
    if (line.empty() || line.front() == '#' || equals == std::string::npos) continue;
    parameters[line.substr(0, equals)] = line.substr(equals + 1);
  }
  return parameters;
}

// As Compose has them: the environment goes before .env.
std::map<std::string, std::string> all_parameters(const ComposeOptions& options) {
  std::map<std::string, std::string> parameters = read_parameters(options.bundle / ".env");
  for (auto& [name, value] : parameters) {
    const char* set = std::getenv(name.c_str());
    if (set != nullptr && *set != '\0') value = set;
  }
  for (const auto& [name, value] : options.parameters) parameters[name] = value;
  if (!options.name.empty()) parameters["COMPOSE_PROJECT_NAME"] = options.name;
  return parameters;
}

int port_of(const std::map<std::string, std::string>& parameters) {
  const auto found = parameters.find("LAMINA_PORT");
  const std::string text = found == parameters.end() ? std::to_string(kHttpPort) : found->second;
  int port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size() || port < 1 || port > 65535)
    fail(ErrorCode::invalid_argument, "LAMINA_PORT is '{}', expected 1 to 65535", text);
  return port;
}

std::vector<std::string> compose_program() {
  try {
    if (run_command({"docker", "compose", "version"}).status == 0) return {"docker", "compose"};
    run_command({"docker-compose", "--version"});
  } catch (const Error& error) {
    if (error.code() != ErrorCode::not_found) throw;
    fail(ErrorCode::not_found,
         "there is neither 'docker compose' nor a program 'docker-compose'; install Docker Compose");
  }
  return {"docker-compose"};
}

void expect_no_project(const Docker& docker, const Plan& plan, const std::string& name) {
  const std::string ours = label_of(name);
  const std::string project = std::string(kComposeLabel) + "=" + name;
  for (const DockerThing thing : {DockerThing::container, DockerThing::network, DockerThing::volume}) {
    if (!docker.find(thing, ours).empty()) {
      fail(ErrorCode::already_exists,
           "the deployment '{0}' is there already; end it with 'lamina clean {0}' or give another --stack",
           name);
    }
    if (!docker.find(thing, project).empty()) {
      fail(ErrorCode::already_exists,
           "the Compose project '{}' is there already and was not made by lamina; give another --stack",
           name);
    }
  }
  // Those that no Compose made.
  const std::vector<std::string> wanted = compose_resources(plan, name);
  for (const char* kind : {"network", "volume"}) {
    for (const std::string& found : lines_of(docker.run({kind, "ls", "--format", "{{.Name}}"}))) {
      if (std::find(wanted.begin(), wanted.end(), found) == wanted.end()) continue;
      fail(ErrorCode::already_exists,
           "the {} '{}' is there already and was not made by lamina; give another "
           "--stack",
           kind, found);
    }
  }
}

[[noreturn]] void fail_to_start(const std::string& said, const std::string& where) {
  if (says_port_is_taken(said)) fail(ErrorCode::unavailable, "{} is taken; give another --port", where);
  fail(ErrorCode::unavailable, "the containers did not start: {}", last_lines(said));
}

// Error(unavailable) once a container ended, by itself or to be started again.
void expect_all_run(const Docker& docker, const std::string& label) {
  std::vector<std::string> words = {"container", "inspect", "--format",
                                    "{{.Id}} {{index .Config.Labels \"com.docker.compose.service\"}} "
                                    "{{.State.Running}} {{.RestartCount}} {{.State.ExitCode}} "
                                    "{{.State.OOMKilled}}"};
  const std::vector<std::string> ids = docker.find(DockerThing::container, label);
  words.insert(words.end(), ids.begin(), ids.end());
  for (const std::string& line : lines_of(docker.run(words))) {
    std::istringstream stream(line);
    std::string id;
    std::string service;
    std::string running;
    std::string out_of_memory;
    int restarts = 0;
    int status = 0;
    stream >> id >> service >> running >> restarts >> status >> out_of_memory;
    if (running == "true" && restarts == 0) continue;
    if (out_of_memory == "true" || status == 137)
      fail(ErrorCode::unavailable, "'{}' was ended by the system: it needs more memory than its limit",
           service);
    fail(ErrorCode::unavailable, "'{}' ended: {}", service, last_lines(docker.logs(id)));
  }
}

void wait_until_it_serves(const Docker& docker, const ContainerRecord& record,
                          std::chrono::milliseconds limit) {
  const std::string label = label_of(record.name);
  const Deadline deadline(limit);
  for (int polls = 1; !is_serving(record.host, record.port, record.https, std::chrono::seconds(2)); ++polls) {
    if (polls % kPollsBetweenLooks == 0) expect_all_run(docker, label);
    if (deadline.passed()) {
      expect_all_run(docker, label);
      fail(ErrorCode::deadline_exceeded, "'{}' did not serve at {}:{} within {} s", record.name, record.host,
           record.port, std::chrono::duration_cast<std::chrono::seconds>(limit).count());
    }
    std::this_thread::sleep_for(kPoll);
  }
}

}  // namespace

ContainerRecord start_compose(const ComposeOptions& options) {
  if (!is_bundle(options.bundle)) {
    fail(ErrorCode::not_found, "'{}' has no manifest.json, which 'lamina bundle' writes",
         options.bundle.string());
  }
  check_bundle(options.bundle);
  const Plan plan = load_plan(options.bundle);
  std::map<std::string, std::string> parameters = all_parameters(options);
  check_secrets(options.bundle, parameters["LAMINA_USER"]);
  const Docker docker = docker_of_environment();
  docker.check();
  const std::vector<std::string> compose = compose_program();

  ContainerRecord record;
  record.name = project_name(parameters["COMPOSE_PROJECT_NAME"]);
  parameters["COMPOSE_PROJECT_NAME"] = record.name;
  record.target = "compose";
  record.directory = std::filesystem::absolute(options.bundle).lexically_normal().string();
  record.docker_host = docker.host();
  record.port = port_of(parameters);
  const std::string listens = parameters["LAMINA_HOST"];
  if (listens != "0.0.0.0") record.host = listens;
  record.https = is_tls_bundle(options.bundle);
  expect_no_project(docker, plan, record.name);
  const std::string image = parameters["LAMINA_IMAGE"];
  if (docker.image_id(image).empty()) {
    if (!std::filesystem::exists(options.bundle / "image.tar")) {
      fail(ErrorCode::not_found, "Docker has no image '{}'; 'lamina image build --load' makes it", image);
    }
    record.loaded_images = {image};
  }

  save_record(record);
  try {
    if (!record.loaded_images.empty()) docker.load(options.bundle / "image.tar");
    std::vector<std::string> words = compose;
    words.insert(words.end(), {"up", "--detach"});
    for (const auto& [name, value] : docker.environment()) parameters[name] = value;
    const CommandResult up =
        run_command(words, {.limit = kUpLimit, .directory = options.bundle, .environment = parameters});
    if (up.status != 0) fail_to_start(up.errors, fmt::format("{}:{}", listens, record.port));
    wait_until_it_serves(docker, record, options.startup);
  } catch (const Error&) {
    remove_deployment(record);
    throw;
  }
  return record;
}

}  // namespace lamina
