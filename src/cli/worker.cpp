// lamina worker: one machine's end, started on each.
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/signals.h"
#include "cli/tls_options.h"
#include "cluster/process_memory.h"
#include "cluster/worker_server.h"

#include <cstdio>
#include <cstdlib>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  WorkerOptions worker;
  std::string memory;
  std::string store;
  std::string store_limit = "64GiB";
  std::string address_file;
  std::string log_level = "info";
};

std::filesystem::path default_store(const std::string& name) {
  const char* cache = std::getenv("XDG_CACHE_HOME");
  if (cache != nullptr && *cache == '/') return std::filesystem::path(cache) / "lamina" / name;
  const char* home = std::getenv("HOME");
  if (home == nullptr || *home == '\0') fail(ErrorCode::invalid_argument, "HOME is not set; give --store");
  return std::filesystem::path(home) / ".cache" / "lamina" / name;
}

void run(Options options) {
  const EndSignals signals;
  start_logging(options.worker.name, options.log_level);
  keep_freed_memory();
  if (!options.memory.empty()) options.worker.memory = parse_bytes(options.memory, "--memory");
  if (options.worker.memory == 0) options.worker.memory = memory_limit();
  options.worker.store =
      options.store.empty() ? default_store(options.worker.name) : std::filesystem::path(options.store);
  options.worker.store_bytes = parse_bytes(options.store_limit, "--store-limit");
  WorkerServer server(options.worker);
  if (!options.address_file.empty()) write_file(options.address_file, server.address());
  spdlog::info("listening on {}, {} threads, {} of memory", server.address(), options.worker.threads,
               format_bytes(options.worker.memory));
  signals.wait();
  spdlog::info("ending");
  server.shutdown(std::chrono::seconds(2));
}

}  // namespace

void add_worker(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("worker", "Run stages on this machine for a head");
  command->add_option("--name", options->worker.name, "name of this machine in plans")->required();
  command
      ->add_option("--listen", options->worker.listen, "HOST:PORT to listen on; port 0 for any that is free")
      ->default_val("0.0.0.0:7070");
  command->add_option("--threads", options->worker.threads, "threads to compute with; 0 for all")
      ->check(number_from_0());
  command->add_option("--memory", options->memory,
                      "memory it may use, e.g. 2GiB; without it, what the system allows");
  command->add_option("--store", options->store,
                      "directory for weights; without it, one under ~/.cache/lamina");
  command
      ->add_option("--store-limit", options->store_limit,
                   "what they may take there; the longest unused make room for others")
      ->capture_default_str();
  command->add_option("--engine", options->worker.engine, "what runs the stages")->capture_default_str();
  command->add_option("--address-file", options->address_file,
                      "file to write the address to once it listens");
  command->add_option("--log-level", options->log_level, "debug, info, warn, error or off")
      ->capture_default_str();
  add_tls_options(*command, options->worker.tls, "worker");
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
