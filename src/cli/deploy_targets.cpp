#include "cli/deploy_targets.h"

#include "base/error.h"

#include <algorithm>
#include <iterator>
#include <span>
#include <string_view>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

// An option of the head, and who takes it but a process of this machine.
struct HeadOption {
  const char* name;
  const char* parameter = nullptr;  // in a bundle's .env, if it is there
  bool on_swarm = true;             // handed as it is to a head on a Swarm
};
constexpr HeadOption kHeadOptions[] = {
    {"--host", "LAMINA_HOST", false},
    {"--port", "LAMINA_PORT", false},
    {"--precision", "LAMINA_PRECISION"},
    {"--timeout", "LAMINA_TIMEOUT"},
    {"--max-in-flight", "LAMINA_MAX_IN_FLIGHT"},
    {"--heartbeat"},
    {"--missed-beats"},
    {"--slow-factor"},
    {"--batch-limit", "LAMINA_BATCH_LIMIT"},
    {"--batch-window", "LAMINA_BATCH_WINDOW"},
    {"--max-rate", "LAMINA_MAX_RATE"},
    {"--max-body", "LAMINA_MAX_BODY"},
    {"--max-connections", "LAMINA_MAX_CONNECTIONS"},
    {"--max-connections-per-address", "LAMINA_MAX_CONNECTIONS_PER_ADDRESS"},
};
// Of how containers are started, and what a Swarm's services are made from.
constexpr std::string_view kOfAnyContainers[] = {"--startup", "--target", "--stack"};
constexpr std::string_view kOfSwarm[] = {
    "--port",          "--classes",       "--certificates", "--tls-ca",    "--tls-cert",
    "--tls-key",       "--tls-revoked",   "--insecure",     "--tls",       "--http-cert",
    "--http-key",      "--auth",          "--image",        "--encrypted", "--auth-certificates",
    "--with-registry", "--registry-port",
};
// That processes of this machine know nothing of.
constexpr std::string_view kOfContainers[] = {"--stack", "--image", "--encrypted", "--with-registry",
                                              "--registry-port"};

bool is_one_of(std::span<const std::string_view> options, std::string_view option) {
  return std::ranges::find(options, option) != options.end();
}

bool is_known(const std::string& option, const std::string& target) {
  if (target == "local") return !is_one_of(kOfContainers, option);
  if (is_one_of(kOfAnyContainers, option) || (target == "swarm" && is_one_of(kOfSwarm, option))) return true;
  const auto* known = std::find_if(std::begin(kHeadOptions), std::end(kHeadOptions),
                                   [&](const HeadOption& head) { return head.name == option; });
  return known != std::end(kHeadOptions) &&
         (target == "swarm" ? known->on_swarm : known->parameter != nullptr);
}

}  // namespace

void refuse_options_of_other_targets(const CLI::App& deploy, const std::string& target) {
  for (const CLI::Option* option : deploy.get_options()) {
    if (option->get_positional() || option->count() == 0) continue;
    const std::string name = "--" + option->get_lnames().front();
    if (is_known(name, target)) continue;
    fail(ErrorCode::invalid_argument, "{} means nothing to --target {}{}", name, target,
         target == "compose"
             ? ": what a bundle's head is to do stands in its docker-compose.yml and .env, and "
               "'lamina bundle' has --tls, --auth and --tokens"
             : "");
  }
}

std::map<std::string, std::string> given_for_bundle(const CLI::App& deploy) {
  std::map<std::string, std::string> given;
  for (const HeadOption& option : kHeadOptions) {
    if (option.parameter != nullptr && deploy.count(option.name) > 0)
      given[option.parameter] = deploy[option.name]->as<std::string>();
  }
  return given;
}

std::vector<std::string> given_for_swarm(const CLI::App& deploy) {
  std::vector<std::string> words;
  for (const HeadOption& option : kHeadOptions) {
    if (option.on_swarm && deploy.count(option.name) > 0)
      words.insert(words.end(), {option.name, deploy[option.name]->as<std::string>()});
  }
  return words;
}

}  // namespace lamina::cli
