// lamina keep: a planned model for a head that starts on another machine.
#include "base/log.h"
#include "cli/commands.h"
#include "cli/fetch.h"
#include "cli/signals.h"
#include "cli/tls_options.h"
#include "cluster/keeper.h"

#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void add_keep(CLI::App& app) {
  struct Options {
    std::string directory;
    std::string listen = "127.0.0.1:7072";
    TlsFiles tls;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("keep", "Keep a planned model for a head elsewhere: 'lamina deploy DIR --fetch'");
  command->add_option("DIR", options->directory, "a directory that 'lamina configure' has planned")
      ->required();
  command->add_option("--listen", options->listen, "HOST:PORT to listen on; port 0 for any that is free")
      ->capture_default_str();
  add_tls_options(*command, options->tls, "head");
  command->callback([options] {
    const EndSignals signals;
    start_logging("keeper", "info");
    const FileKeeper keeper(options->directory, served_files(), options->listen, options->tls);
    spdlog::info("keeping '{}' at {}", options->directory, keeper.address());
    signals.wait();
  });
}

}  // namespace lamina::cli
