#include "cli/steps.h"

#include "base/duration.h"
#include "base/error.h"
#include "base/text.h"
#include "cli/checks.h"
#include "cli/progress_bar.h"
#include "cli/tls_options.h"
#include "deploy/devices.h"
#include "plan/holes.h"

#include <chrono>
#include <cstdio>
#include <set>

#include <CLI/CLI.hpp>
#include <fmt/ranges.h>

namespace lamina::cli {

void DeviceArguments::add_to(CLI::App& command) {
  auto* devices = command.add_option("--devices", file, "devices.toml that names the machines");
  command.add_option("--workers", workers, "without --devices: so many local workers of unequal size")
      ->capture_default_str()
      ->check(CLI::Range(1, 64))
      ->excludes(devices);
}

std::vector<DeviceInfo> DeviceArguments::load() const {
  return file.empty() ? default_devices(workers) : load_devices(file);
}

void BenchmarkArguments::add_to(CLI::App& command) {
  command
      .add_option(
          "-b,--batch", options.batches,
          "batch sizes, such as 1,4,16: the first is planned for unless 'configure --batch' may choose")
      ->capture_default_str()
      ->delimiter(',')
      ->check(CLI::Range(1, 65536));
  command.add_option("-r,--repeats", options.repeats, "runs of each piece that count")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000000));
  command
      .add_option("-d,--bandwidth-seconds", options.bandwidth_seconds, "time to measure each bandwidth for")
      ->capture_default_str()
      ->check(CLI::Range(0.0, 60.0));
  command.add_option("-l,--pings", options.pings, "round trips to measure on each link")
      ->capture_default_str()
      ->check(CLI::Range(1, 100000));
  command
      .add_option("-m,--memory-multiplier", options.memory_multiplier,
                  "share of the free memory that plans may use")
      ->capture_default_str()
      ->check(CLI::Range(0.01, 1.0));
  command.add_option("-s,--startup", startup, "seconds that workers may take to start")
      ->capture_default_str()
      ->check(positive_number());
  command.add_option("-i,--idle", idle, "seconds to wait before measuring, for machines to settle")
      ->capture_default_str()
      ->check(number_from_0());
}

void ServeArguments::add_to(CLI::App& command) {
  command.add_option("--host", host, "address the HTTP front end listens on")->capture_default_str();
  command.add_option("--port", port, "port of the HTTP front end; 0 for any")
      ->capture_default_str()
      ->check(CLI::Range(0, 65535));
  command
      .add_option("--head-listen", head_listen, "HOST:PORT where workers deliver answers; they must reach it")
      ->capture_default_str();
  command.add_option("--classes", classes, "a file of class names, one a line, for the page");
  command.add_option("--precision", precision, "f32 or bf16")
      ->capture_default_str()
      ->envname("LAMINA_PRECISION")
      ->check(CLI::IsMember({"f32", "bf16"}));
  command.add_option("--timeout", timeout, "seconds a request may take")
      ->capture_default_str()
      ->envname("LAMINA_TIMEOUT")
      ->check(positive_number());
  command.add_option("--max-in-flight", max_in_flight, "requests under way at once; more are refused")
      ->capture_default_str()
      ->envname("LAMINA_MAX_IN_FLIGHT")
      ->check(CLI::Range(1, 100000));
  command
      .add_option("--heartbeat", heartbeat,
                  "milliseconds after which each worker is asked again if it is there")
      ->capture_default_str()
      ->check(CLI::Range(10, 600000));
  command.add_option("--missed-beats", missed_beats, "times in a row that a worker may be silent")
      ->capture_default_str()
      ->check(CLI::Range(1, 1000));
  command
      .add_option("--slow-factor", slow_factor,
                  "a machine that takes so many times as long as planned is slow, and other plans are tried; "
                  "0: never")
      ->capture_default_str()
      ->check(CLI::Range(1.5, 1000.0) | CLI::IsMember({0.0}));
  command
      .add_option(
          "--batch-limit", batch_limit,
          "rows that requests are joined up to on their way through the pipeline; 1: each goes alone; "
          "without it as the plan says")
      ->envname("LAMINA_BATCH_LIMIT")
      ->check(CLI::Range(1, 65536));
  command
      .add_option(
          "--batch-window", batch_window,
          "milliseconds a request may wait for others to join while the pipeline is busy; without it as "
          "the plan says, or 2")
      ->envname("LAMINA_BATCH_WINDOW")
      ->check(CLI::Range(0.0, 60000.0));
  add_tls_options(command, tls, "head");
  http.add_to(command);
}

std::string ServeArguments::url(int served_port) const {
  return fmt::format("{}://{}:{}", http.tls ? "https" : "http", host, served_port);
}

FleetOptions fleet_options(const std::filesystem::path& directory, const TlsFiles& tls, double startup) {
  FleetOptions options;
  options.directory = directory;
  options.tls = tls;
  options.startup = to_milliseconds(startup);
  return options;
}

HeadOptions head_options(const ServeArguments& arguments) {
  HeadOptions options;
  options.listen = arguments.head_listen;
  options.precision = arguments.precision;
  options.max_in_flight = arguments.max_in_flight;
  options.heartbeat = {std::chrono::milliseconds(arguments.heartbeat), arguments.missed_beats};
  options.tls = arguments.tls;
  return options;
}

void print_failures(const Benchmark& benchmark) {
  for (const std::string& line : describe_holes(benchmark)) std::fprintf(stderr, "%s\n", line.c_str());
}

Benchmark run_benchmark(const std::filesystem::path& directory, const SlicedModel& model, Fleet& fleet,
                        const BenchmarkOptions& options) {
  if (std::set(options.batches.begin(), options.batches.end()).size() < options.batches.size())
    fail(ErrorCode::invalid_argument, "--batch is {}, expected each size once",
         fmt::join(options.batches, ","));
  Benchmark benchmark;
  {
    ProgressBar bar;
    benchmark = measure_fleet(
        model, hash_of_model(directory), fleet, options,
        [&](std::size_t done, std::size_t all, const std::string& what) { bar.show(done, all, what); });
  }
  print_failures(benchmark);
  save_benchmark(directory, benchmark);
  return benchmark;
}

}  // namespace lamina::cli
