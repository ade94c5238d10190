// lamina health: whether a deployment serves, as an exit status; containers check themselves with it.
#include "base/error.h"
#include "cli/commands.h"
#include "serve/probe.h"

#include <chrono>
#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {
constexpr std::chrono::seconds kLimit{4};
}

void add_health(CLI::App& app) {
  struct Options {
    std::string host = "127.0.0.1";
    int port = 8765;
    bool tls = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("health", "Say whether a head is ready to answer");
  command->add_option("--host", options->host, "address of its HTTP front end")->capture_default_str();
  command->add_option("--port", options->port, "port of its HTTP front end")
      ->capture_default_str()
      ->check(CLI::Range(1, 65535));
  command->add_flag("--tls", options->tls, "it serves HTTPS");
  command->callback([options] {
    if (!is_serving(options->host, options->port, options->tls, kLimit))
      fail(ErrorCode::unavailable, "{}:{} is not ready", options->host, options->port);
    std::printf("ready\n");
  });
}

}  // namespace lamina::cli
