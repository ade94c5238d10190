#include "cli/papdl.h"

#include "base/error.h"
#include "cli/checks.h"
#include "profile/benchmark.h"
#include "slice/artifact.h"

#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <initializer_list>
#include <iterator>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

using Words = std::vector<std::string>;
using Run = std::function<void(const Words&)>;

// What commands that start something in the Swarm share.
struct Place {
  std::string certificates;
  void add_to(CLI::App& command) {
    command.add_option("--certificates", certificates,
                       "directory that 'lamina cert' made: TLS between nodes and for clients");
  }
  void add(Words& words) const {
    words.insert(words.end(), {"--target", "swarm"});
    if (certificates.empty()) {
      std::fprintf(
          stderr,
          "papdl: without --certificates nodes talk without TLS, and whoever reaches a port may ask\n");
      words.emplace_back("--insecure");
    } else {
      words.insert(words.end(), {"--certificates", certificates});
    }
  }
};

// The directory of the next step: `output` with links to what `input` has, or `input` itself.
std::string next_directory(const std::string& input, const std::string& output,
                           std::initializer_list<const char*> files) {
  std::error_code error;
  if (output.empty() || std::filesystem::equivalent(input, output, error)) return input;
  std::filesystem::create_directories(output);
  for (const char* file : files) {
    const std::filesystem::path from = std::filesystem::path(input) / file;
    const std::filesystem::path to = std::filesystem::path(output) / file;
    if (!std::filesystem::exists(from))
      fail(ErrorCode::not_found, "'{}' has no {}, which the step before this one writes", input, file);
    std::filesystem::remove(to);
    std::filesystem::create_hard_link(from, to, error);
    if (error) std::filesystem::copy_file(from, to);
  }
  return output;
}

// INPUT_SIZE counts the numbers of one input: those of an item times the batch that was measured first.
void check_input_size(const std::string& directory, std::int64_t size) {
  const SlicedModel model = load_sliced_model(directory);
  const Benchmark benchmark = load_benchmark(directory);
  std::int64_t expected = 0;
  for (const Port& input : model.graph.inputs())
    expected += element_count(at_batch(model.graph.type(input.value).shape, benchmark.batch));
  if (size != expected) {
    fail(ErrorCode::invalid_argument, "INPUT_SIZE is {}, expected {}: the numbers of a batch of {}", size,
         expected, benchmark.batch);
  }
}

void add_slice(CLI::App& app, const Run& run) {
  struct Options {
    std::string model;
    std::string output = "sliced";
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("slice", "Cut a Keras model into slices");
  command->add_option("MODEL", options->model, "a .keras or .h5 file")->required();
  command->add_option("-o,--output", options->output, "directory to write")->capture_default_str();
  command->callback([options, run] { run({"slice", options->model, "-o", options->output}); });
}

void add_benchmark(CLI::App& app, const Run& run) {
  struct Options {
    std::string slices;
    std::string output;
    std::string idle;
    Place place;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("benchmark", "Measure the slices on every node of the Swarm, and the links");
  command->add_option("SLICES", options->slices, "what 'papdl slice' wrote")->required();
  command->add_option("-o,--output", options->output, "directory to write; without it SLICES");
  options->place.add_to(*command);
  // The long names are those of PAPDL's command line; with each, the same option of lamina's.
  struct Same {
    const char* names;
    const char* what;
    const char* here;
  };
  static constexpr Same kSame[] = {
      {"-b,--model_test_batch_size", "batch size", "--batch"},
      {"-r,--model_test_number_of_repeats", "runs of each slice that count", "--repeats"},
      {"-d,--bandwidth_test_duration_sec", "seconds to measure each bandwidth for", "--bandwidth-seconds"},
      {"-l,--latency_test_count", "round trips to measure on each link", "--pings"},
      {"-m,--free_memory_multiplier", "share of the free memory that plans may use", "--memory-multiplier"},
      {"-s,--startup_timeout", "seconds that workers may take to start", "--startup"},
      {"-n,--project_name", "name of what runs in the Swarm meanwhile", "--stack"}};
  auto values = std::make_shared<std::vector<std::string>>(std::size(kSame));
  for (std::size_t i = 0; i < std::size(kSame); ++i)
    command->add_option(kSame[i].names, (*values)[i], kSame[i].what);
  command
      ->add_option(
          "-i,--service_idle_detection", options->idle,
          "seconds that a node may take; chooses nothing: what nodes are asked ends in time by itself")
      ->check(number_from_0());
  command->callback([options, values, run] {
    Words words = {"benchmark",
                   next_directory(options->slices, options->output, {"model.json", "weights.safetensors"})};
    for (std::size_t i = 0; i < std::size(kSame); ++i) {
      if (!(*values)[i].empty()) words.insert(words.end(), {kSame[i].here, (*values)[i]});
    }
    options->place.add(words);
    run(words);
  });
}

void add_configure(CLI::App& app, const Run& run) {
  struct Options {
    std::string benchmark;
    std::string source;
    std::int64_t input_size = 0;
    std::string constraints;
    std::string output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("configure", "Find the placement of least latency");
  command->add_option("BENCHMARK", options->benchmark, "what 'papdl benchmark' wrote")->required();
  command->add_option("SOURCE", options->source, "id or name of the node where inputs come from")->required();
  command->add_option("INPUT_SIZE", options->input_size, "numbers in one input: shape times batch size")
      ->required();
  command->add_option("-c,--search_constraints", options->constraints, "must={…},mustnot={…}");
  command->add_option("-o,--output", options->output, "directory to write; without it BENCHMARK");
  command->callback([options, run] {
    check_input_size(options->benchmark, options->input_size);
    Words words = {"configure",
                   next_directory(options->benchmark, options->output,
                                  {"model.json", "weights.safetensors", "benchmark.json"}),
                   options->source};
    if (!options->constraints.empty()) words.insert(words.end(), {"-c", options->constraints});
    run(words);
  });
}

void add_deploy(CLI::App& app, const Run& run) {
  struct Options {
    std::string configuration;
    bool debug = false;
    Place place;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("deploy", "Serve the configured model on the Swarm, port 8765");
  command->add_option("CONFIG", options->configuration, "what 'papdl configure' wrote")->required();
  command->add_option("-d,--debug", options->debug,
                      "true or false; chooses nothing: logs stay with the services");
  options->place.add_to(*command);
  command->callback([options, run] {
    Words words = {"deploy", options->configuration};
    options->place.add(words);
    run(words);
  });
}

// PAPDL's `papdl --generate MODEL --out DIR`.
void add_generate(CLI::App& app, const Run& run) {
  struct Options {
    std::string model;
    std::string output;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("bundle", "Write a directory that Docker Compose runs");
  command->alias("--generate");
  command->add_option("MODEL", options->model, "a .keras or .h5 file")->required();
  command->add_option("-o,--out", options->output, "directory to write")->required();
  command->callback([options, run] { run({"bundle", options->model, "-o", options->output}); });
}

void add_clean(CLI::App& app, const Run& run) {
  CLI::App* command = app.add_subcommand("clean", "Remove all that was deployed, whichever flags are given");
  const auto ignored = ignore_flags_of_papdl(*command);
  // Names of deployments go to 'lamina clean'.
  command->allow_extras();
  command->callback([command, ignored, run] {
    Words words = command->remaining();
    words.insert(words.begin(), "clean");
    run(words);
  });
}

}  // namespace

std::shared_ptr<bool> ignore_flags_of_papdl(CLI::App& clean) {
  auto ignored = std::make_shared<bool>(false);
  for (const char* kind : {"-b,--benchmark_images", "-B,--benchmark_services", "-s,--slice_images",
                           "-S,--slice_services", "-o,--orchestrator_images", "-O,--orchestrator_services",
                           "-R,--registry_service", "-I,--iperf_services", "-n,--network", "-x,--secrets"})
    clean.add_flag(kind, *ignored, "PAPDL's; chooses nothing");
  return ignored;
}

void add_papdl(CLI::App& app, const Run& run) {
  add_slice(app, run);
  add_benchmark(app, run);
  add_configure(app, run);
  add_deploy(app, run);
  add_clean(app, run);
  add_generate(app, run);
}

}  // namespace lamina::cli
