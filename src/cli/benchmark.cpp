// lamina benchmark: times and memory of every piece on every machine, latency and bandwidth of every link.
#include "base/error.h"
#include "base/file.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/steps.h"
#include "cli/swarm.h"
#include "cli/tls_options.h"

#include <chrono>
#include <cstdio>
#include <memory>
#include <thread>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  std::string directory;
  DeviceArguments devices;
  BenchmarkArguments benchmark;
  TlsFiles tls;
  std::string target = "local";
  SwarmArguments swarm;
};

void print(const Benchmark& benchmark) {
  std::vector<std::vector<std::string>> rows = {{"piece"}};
  for (const DeviceInfo& device : benchmark.devices) rows[0].push_back(device.name + ", ms");
  rows[0].push_back("weights");
  rows[0].push_back("out");
  for (std::size_t piece = 0; piece < benchmark.pieces.size(); ++piece) {
    auto& row = rows.emplace_back();
    row.push_back(benchmark.pieces[piece].name);
    for (std::size_t device = 0; device < benchmark.devices.size(); ++device) {
      const auto& time = benchmark.measurements[device][piece].time;
      row.push_back(
          time ? fmt::format("{:.3f} ({:.3f}–{:.3f})", time->median * 1e3, time->p10 * 1e3, time->p90 * 1e3)
               : "can't run");
    }
    row.push_back(format_bytes(benchmark.pieces[piece].weight_bytes));
    row.push_back(format_bytes(benchmark.cut_bytes[piece + 1]));
  }
  std::printf("%s\n", format_table(rows).c_str());
  std::vector<std::vector<std::string>> links = {
      {"from", "to", "round trip min", "mean", "max", "bandwidth"}};
  for (std::size_t from = 0; from < benchmark.devices.size(); ++from) {
    for (std::size_t to = 0; to < benchmark.devices.size(); ++to) {
      const Link& link = benchmark.links[from][to];
      if (!link.failure.empty()) {
        links.push_back({benchmark.devices[from].name, benchmark.devices[to].name, "", "", "", "failed"});
        continue;
      }
      links.push_back({benchmark.devices[from].name, benchmark.devices[to].name,
                       format_seconds(link.round_trip_min), format_seconds(link.round_trip_mean),
                       format_seconds(link.round_trip_max),
                       format_bytes(static_cast<std::uint64_t>(link.bandwidth)) + "/s"});
    }
  }
  std::printf("%s", format_table(links).c_str());
}

void run(const Options& options) {
  const SlicedModel model = load_sliced_model(options.directory);
  const TemporaryDirectory scratch;
  Fleet fleet(options.devices.load(), fleet_options(scratch.path(), options.tls, options.benchmark.startup));
  std::this_thread::sleep_for(std::chrono::duration<double>(options.benchmark.idle));
  print(run_benchmark(options.directory, model, fleet, options.benchmark.options));
  std::printf("\nwrote %s/benchmark.json\n", options.directory.c_str());
}

void run_on_swarm(const Options& options) {
  const EndSignals signals;
  const Benchmark benchmark = benchmark_on_swarm(
      options.swarm.options(options.directory, options.benchmark.startup, options.tls, signals),
      options.benchmark.options, [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); });
  print_failures(benchmark);
  print(benchmark);
  std::printf("\nwrote %s/benchmark.json\n", options.directory.c_str());
}

}  // namespace

void add_benchmark(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("benchmark", "Measure every piece on every machine, and the links between them");
  command->add_option("DIR", options->directory, "a directory made by 'lamina slice'")->required();
  options->devices.add_to(*command);
  options->benchmark.add_to(*command);
  add_tls_options(*command, options->tls, "head");
  command
      ->add_option("--target", options->target,
                   "where: the machines of --devices, or a worker on every node of this Docker's Swarm")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "swarm"}));
  options->swarm.add_to(*command);
  command->callback([options] {
    if (options->target == "swarm") {
      run_on_swarm(*options);
    } else {
      run(*options);
    }
  });
}

}  // namespace lamina::cli
