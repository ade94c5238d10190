#include "deploy/compose_file.h"

#include "base/error.h"
#include "deploy/docker.h"
#include "deploy/image.h"

#include <algorithm>
#include <array>
#include <cctype>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::size_t kMaxName = 63;  // of a host, RFC 1035
// What the head reads from its environment.
constexpr std::array kHeadSettings = {std::pair{"LAMINA_PRECISION", "f32"},
                                      std::pair{"LAMINA_TIMEOUT", "30"},
                                      std::pair{"LAMINA_MAX_IN_FLIGHT", "64"},
                                      std::pair{"LAMINA_BATCH_LIMIT", ""},
                                      std::pair{"LAMINA_BATCH_WINDOW", ""},
                                      std::pair{"LAMINA_MAX_RATE", "0"},
                                      std::pair{"LAMINA_MAX_BODY", "256MiB"},
                                      std::pair{"LAMINA_MAX_CONNECTIONS", "256"},
                                      std::pair{"LAMINA_MAX_CONNECTIONS_PER_ADDRESS", "128"}};

bool is_letter_or_digit(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0; }

void check_service_name(const std::string& name) {
  const bool fits = !name.empty() && name.size() <= kMaxName && is_letter_or_digit(name.front()) &&
                    std::all_of(name.begin(), name.end(),
                                [](char c) { return is_letter_or_digit(c) || c == '-' || c == '_'; });
  if (!fits || name == "head") {
    fail(ErrorCode::invalid_argument,
         "device '{}' can't be a service: expected a name of at most {} letters, digits, '-' and '_' other "
         "than 'head'",
         name, kMaxName);
  }
}

// Only what needs no escaping inside quotes comes here.
std::string list_of(const std::vector<std::string>& words) {
  return fmt::format("[\"{}\"]", fmt::join(words, "\", \""));
}

// Without certificates strangers are kept away by the containers' own network, and by the address at which
// the head's port is published.
void add_security(std::vector<std::string>& words, bool tls) {
  if (tls) {
    words.insert(words.end(), {"--certificates", "/secrets"});
  } else {
    words.emplace_back("--insecure");
  }
}

// What a head or a worker is shown of the folder `secrets`.
std::vector<std::string> secrets_of(const std::string& role, const ComposeFileOptions& options) {
  std::vector<std::string> files;
  if (options.tls) files = {"authority.pem", "revoked.pem", role + ".pem", role + ".key"};
  if (options.auth && role == "head") files.emplace_back("tokens");
  return files;
}

// Files one by one: no container sees the key of another role. Compose's own `secrets` of files are such
// mounts too, but docker-compose 1.x makes an empty folder where one is missing, and this an error.
std::string secrets(const std::string& role, const ComposeFileOptions& options) {
  std::string text;
  for (const std::string& file : secrets_of(role, options)) {
    text += fmt::format(
        "      - {{type: bind, source: ./secrets/{0}, target: /secrets/{0}, read_only: true}}\n", file);
  }
  return text;
}

std::string head(const std::vector<DeviceInfo>& devices, const ComposeFileOptions& options) {
  std::vector<std::string> command = {"deploy",           "/bundle",
                                      "--host",           "0.0.0.0",
                                      "--port",           std::to_string(kHttpPort),
                                      "--head-listen",    fmt::format("head:{}", kAnswerPort),
                                      "--without-missing"};
  std::vector<std::string> workers;
  for (const DeviceInfo& device : devices) {
    workers.push_back(device.name);
    command.insert(command.end(), {"--worker", fmt::format("{0}={0}:{1}", device.name, kWorkerPort)});
  }
  add_security(command, options.tls);
  if (options.tls) command.insert(command.end(), {"--tls", "--auth-certificates"});
  if (options.auth) command.insert(command.end(), {"--auth", "/secrets/tokens"});
  std::vector<std::string> health = {"CMD", kImageProgram, "health", "--port", std::to_string(kHttpPort)};
  if (options.tls) health.emplace_back("--tls");
  // The bundle is shown whole, but for what lies there that is no business of the head's.
  const std::string hidden = secrets_of("head", options).empty()
                                 ? ""
                                 : "      - {type: tmpfs, target: /bundle/secrets, read_only: true}\n";
  std::string settings;
  for (const auto& [name, value] : kHeadSettings)
    settings += fmt::format("      {0}: \"${{{0}:-{1}}}\"\n", name, value);
  return fmt::format(
      R"(  head:
    <<: *process
    hostname: head
    restart: "on-failure:3"
    depends_on: {workers}
    command: {command}
    environment:
{settings}    ports: ["${{LAMINA_HOST:-127.0.0.1}}:${{LAMINA_PORT:-{port}}}:{port}"]
    volumes:
      - {{type: bind, source: ., target: /bundle, read_only: true}}
{hidden}{secrets}    healthcheck:
      test: {health}
      interval: 10s
      timeout: 5s
      retries: 3
      start_period: 60s
)",
      fmt::arg("workers", list_of(workers)), fmt::arg("command", list_of(command)),
      fmt::arg("settings", settings), fmt::arg("port", kHttpPort), fmt::arg("health", list_of(health)),
      fmt::arg("hidden", hidden), fmt::arg("secrets", secrets("head", options)));
}

std::string worker(const DeviceInfo& device, const ComposeFileOptions& options) {
  std::vector<std::string> command = {"worker",
                                      "--name",
                                      device.name,
                                      "--listen",
                                      fmt::format("0.0.0.0:{}", kWorkerPort),
                                      "--store",
                                      kImageStore,
                                      "--threads",
                                      std::to_string(device.threads)};
  std::string limits;
  const double cpus = device.cpus > 0 ? device.cpus : device.threads;
  if (cpus > 0) limits += fmt::format("    cpus: {}\n", cpus);
  if (device.memory > 0) {
    command.insert(command.end(), {"--memory", std::to_string(device.memory)});
    limits += fmt::format("    mem_limit: {}\n", device.memory);
  }
  add_security(command, options.tls);
  return fmt::format(
      R"(  {name}:
    <<: *process
    hostname: {name}
    restart: unless-stopped
    command: {command}
{limits}    volumes:
      - {{type: volume, source: {name}-store, target: {store}}}
{secrets})",
      fmt::arg("name", device.name), fmt::arg("command", list_of(command)), fmt::arg("limits", limits),
      fmt::arg("store", kImageStore), fmt::arg("secrets", secrets("worker", options)));
}

}  // namespace

std::string compose_file(const Plan& plan, const ComposeFileOptions& options) {
  std::string services;
  std::string volumes;
  std::vector<DeviceInfo> devices;
  for (const DeviceInfo& device : plan.devices) {
    if (!uses(plan, device.name)) continue;
    check_service_name(device.name);
    devices.push_back(device);
    services += worker(device, options);
    volumes += fmt::format("  {}-store: {{labels: *labels}}\n", device.name);
  }
  return fmt::format(
      R"(# Made by 'lamina bundle'. Start it with 'docker-compose up -d', end it with 'docker-compose down -v'.
# Settings stand in .env; every other file is checked by the head when it starts.
x-labels: &labels
  {label}: "${{COMPOSE_PROJECT_NAME:-{name}}}"

x-process: &process
  image: "${{LAMINA_IMAGE:-{image}}}"
  user: "${{LAMINA_USER:-{user}}}"
  read_only: true
  cap_drop: [ALL]
  security_opt: ["no-new-privileges:true"]
  tmpfs: [/tmp]
  networks: [pipeline]
  labels: *labels

services:
{head}{services}
networks:
  pipeline: {{labels: *labels}}

volumes:
{volumes})",
      fmt::arg("label", kDeploymentLabel), fmt::arg("name", options.name), fmt::arg("image", options.image),
      fmt::arg("user", options.user), fmt::arg("head", head(devices, options)),
      fmt::arg("services", services), fmt::arg("volumes", volumes));
}

std::vector<std::pair<std::string, std::string>> compose_parameters(const ComposeFileOptions& options) {
  std::vector<std::pair<std::string, std::string>> parameters = {{"COMPOSE_PROJECT_NAME", options.name},
                                                                 {"LAMINA_IMAGE", options.image},
                                                                 {"LAMINA_USER", options.user},
                                                                 {"LAMINA_HOST", "127.0.0.1"},
                                                                 {"LAMINA_PORT", std::to_string(kHttpPort)}};
  parameters.insert(parameters.end(), kHeadSettings.begin(), kHeadSettings.end());
  return parameters;
}

std::vector<std::string> compose_secrets(const ComposeFileOptions& options) {
  std::vector<std::string> files = secrets_of("head", options);
  for (const std::string& file : secrets_of("worker", options)) {
    if (std::find(files.begin(), files.end(), file) == files.end()) files.push_back(file);
  }
  return files;
}

std::vector<std::string> compose_resources(const Plan& plan, const std::string& name) {
  std::vector<std::string> resources = {name + "_pipeline"};
  for (const DeviceInfo& device : plan.devices) {
    if (uses(plan, device.name)) resources.push_back(fmt::format("{}_{}-store", name, device.name));
  }
  return resources;
}

std::string project_name(const std::string& text) {
  std::string name;
  for (const char c : text) {
    const auto lower = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    name += is_letter_or_digit(c) || c == '-' || c == '_' ? lower : '_';
  }
  const std::size_t first = name.find_first_not_of("_-");
  return first == std::string::npos ? "lamina" : name.substr(first, kMaxName);
}

}  // namespace lamina
