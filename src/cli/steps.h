// The steps that commands share: choosing devices, measuring, serving.
#pragma once

#include "cli/http_arguments.h"
#include "cluster/head.h"
#include "cluster/stragglers.h"
#include "deploy/benchmark_session.h"
#include "deploy/fleet.h"
#include "plan/plan.h"
#include "slice/artifact.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <CLI/App.hpp>

namespace lamina::cli {

// What says which machines to use.
struct DeviceArguments {
  std::string file;
  int workers = 3;
  void add_to(CLI::App& command);
  std::vector<DeviceInfo> load() const;
};

// PAPDL's options of benchmark.
struct BenchmarkArguments {
  BenchmarkOptions options;
  double startup = 60;
  double idle = 0;
  void add_to(CLI::App& command);
};

// What says how to serve.
struct ServeArguments {
  std::string host = "127.0.0.1";
  int port = 8765;
  std::string head_listen = "127.0.0.1:0";
  std::string classes;
  std::string precision = "f32";
  double timeout = 30;
  std::size_t max_in_flight = 64;
  int heartbeat = 500;  // milliseconds
  int missed_beats = 3;
  bool may_miss = false;  // machines of the plan
  double slow_factor = StragglerOptions().factor;
  // As the plan says without them.
  std::optional<std::int64_t> batch_limit;
  std::optional<double> batch_window;  // milliseconds
  TlsFiles tls;
  HttpArguments http;
  // Where the page and the endpoints are.
  std::string url(int served_port) const;
  void add_to(CLI::App& command);
};

// Workers that keep their stores and logs in `directory` and may take `startup` seconds to start.
FleetOptions fleet_options(const std::filesystem::path& directory, const TlsFiles& tls, double startup);
HeadOptions head_options(const ServeArguments& arguments);

// Says on standard error what could not be measured, and why.
void print_failures(const Benchmark& benchmark);

// Measures and saves DIR/benchmark.json; says what could not be measured.
Benchmark run_benchmark(const std::filesystem::path& directory, const SlicedModel& model, Fleet& fleet,
                        const BenchmarkOptions& options);

}  // namespace lamina::cli
