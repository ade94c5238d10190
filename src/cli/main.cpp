// lamina: from a Keras model on a laptop to a set of unequal machines and back.
#include "base/descriptor.h"
#include "base/error.h"
#include "cli/commands.h"
#include "cli/papdl.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <filesystem>
#include <new>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

namespace {

// 2 for a mistake in what was asked, 3 for a thing that isn't there, 4 for memory, 1 for all else.
int exit_status(lamina::ErrorCode code) {
  switch (code) {
    case lamina::ErrorCode::invalid_argument:
    case lamina::ErrorCode::unsupported:
      return 2;
    case lamina::ErrorCode::not_found:
      return 3;
    case lamina::ErrorCode::out_of_memory:
      return 4;
    default:
      return 1;
  }
}

int report(const char* message, int status) {
  std::fprintf(stderr, "lamina: %s\n", message);
  return status;
}

using Words = std::vector<std::string>;

// Exit status 2 for mistakes in the words, as for every other in what was asked; help and version end with 0.
int run(CLI::App& app, const Words& words) {
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  try {
    app.parse(Words(words.rbegin(), words.rend()));
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }
}

int run_lamina(const Words& words) {
  CLI::App app{"Takes a Keras model from a file on a laptop to a set of unequal machines and back.",
               "lamina"};
  app.set_version_flag("--version", "lamina " LAMINA_VERSION);
  lamina::cli::add_inspect(app);
  lamina::cli::add_predict(app);
  lamina::cli::add_slice(app);
  lamina::cli::add_worker(app);
  lamina::cli::add_benchmark(app);
  lamina::cli::add_configure(app);
  lamina::cli::add_simulate(app);
  lamina::cli::add_deploy(app);
  lamina::cli::add_status(app);
  lamina::cli::add_clean(app);
  lamina::cli::add_up(app);
  lamina::cli::add_image(app);
  lamina::cli::add_bundle(app);
  lamina::cli::add_health(app);
  lamina::cli::add_cert(app);
  lamina::cli::add_keep(app);
  return run(app, words);
}

int run_papdl(const Words& words) {
  CLI::App app{"PAPDL's commands, carried out by lamina on the Docker Swarm that this machine manages.",
               "papdl"};
  app.set_version_flag("--version", "papdl of lamina " LAMINA_VERSION);
  int status = 0;
  lamina::cli::add_papdl(app, [&status](const Words& meant) { status = run_lamina(meant); });
  const int parsed = run(app, words);
  return parsed != 0 ? parsed : status;
}

}  // namespace

int main(int argc, char** argv) {
  // A file that grows past its limit is an error to report, as a full disk is.
  std::signal(SIGXFSZ, SIG_IGN);
  // What gRPC writes of its own doubles our errors; who looks into it asks for it.
  ::setenv("GRPC_VERBOSITY", "NONE", 0);
  lamina::allow_most_descriptors();
  const Words words(argv + 1, argv + argc);
  try {
    const bool papdl = std::filesystem::path(argv[0]).filename() == "papdl";
    return papdl ? run_papdl(words) : run_lamina(words);
  } catch (const lamina::Error& error) {
    return report(error.what(), exit_status(error.code()));
  } catch (const std::bad_alloc&) {
    return report("out of memory", 4);
  } catch (const std::exception& error) {
    return report(error.what(), 1);
  }
}
