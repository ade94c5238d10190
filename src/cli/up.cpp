// lamina up: slice, benchmark, configure and deploy in one, with workers of this machine.
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "cli/planning.h"
#include "cli/running.h"
#include "cli/signals.h"
#include "cli/tensor_arguments.h"
#include "cluster/process_memory.h"
#include "engine/engine.h"
#include "plan/plan_table.h"
#include "profile/statistics.h"

#include <chrono>
#include <cstdio>
#include <future>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

constexpr int kTries = 20;

struct Options {
  ModelArgument model;
  DeviceArguments devices;
  BenchmarkArguments benchmark;
  ServeArguments serve;
  std::string source;
  PlanArguments plan;
  std::vector<std::string> inputs;
  std::size_t measure = 3;
  bool once = false;
};

std::vector<Tensor> predict_through(Orchestrator& pipeline, const std::vector<Tensor>& inputs,
                                    double timeout) {
  std::promise<Prediction> promise;
  auto future = promise.get_future();
  pipeline.predict(
      inputs, Deadline(std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(timeout))),
      [&promise](Prediction prediction) { promise.set_value(std::move(prediction)); });
  Prediction prediction = future.get();
  if (prediction.error) throw *prediction.error;
  return std::move(prediction.outputs);
}

std::vector<Tensor> predict_uncut(const SlicedModel& model, const std::vector<Tensor>& inputs,
                                  std::int64_t batch) {
  return load_engine("openvino")->compile(model.graph, {.batch = batch})->run(inputs);
}

// Runs the inputs through the pipeline and says what came, how fast, and how far from the uncut model.
void try_inputs(const Options& options, const SlicedModel& model, const Plan& plan, Orchestrator& pipeline) {
  const Signature signature = signature_of(model.graph);
  const std::vector<Tensor> inputs = load_inputs(signature, options.inputs);
  const std::int64_t batch = check_inputs(signature, inputs);
  std::vector<Tensor> outputs = predict_through(pipeline, inputs, options.serve.timeout);
  std::vector<double> seconds;
  for (int i = 0; i < kTries; ++i) {
    const Clock::time_point begin = Clock::now();
    outputs = predict_through(pipeline, inputs, options.serve.timeout);
    seconds.push_back(seconds_since(begin));
  }
  print_answer(signature, outputs, load_classes(options.serve.classes));
  for (const StageStatus& stage : pipeline.status().stages) {
    std::printf("%s on %s: predicted %s, measured %s\n", stage.name.c_str(), stage.worker.c_str(),
                format_seconds(stage.predicted_seconds).c_str(),
                format_seconds(stage.measured_seconds).c_str());
  }
  const std::string rehearsed =
      plan.measured ? fmt::format(", {} when it was planned", format_seconds(plan.measured->latency)) : "";
  std::printf("latency: predicted %s, measured %s (median of %d)%s\n", format_seconds(plan.latency).c_str(),
              format_seconds(median(seconds)).c_str(), kTries, rehearsed.c_str());
  std::printf("largest difference from the uncut model: %.2g of the largest output\n",
              relative_difference(outputs, predict_uncut(model, inputs, batch)));
}

void run(const Options& options) {
  const EndSignals signals;
  start_logging("head", "warn");
  keep_freed_memory();
  if (options.once && options.inputs.empty())
    fail(ErrorCode::invalid_argument, "--once needs an input to try: --input FILE.npy");
  const TemporaryDirectory scratch;
  const std::filesystem::path directory = scratch.path() / "model";
  save_sliced_model(directory, slice_model(options.model.load()));
  const SlicedModel model = load_sliced_model(directory);
  std::printf("%s: %zu layers in %zu pieces\n", model.graph.name().c_str(), model.graph.layers().size(),
              model.boundaries.size() - 1);

  const std::vector<DeviceInfo> devices = options.devices.load();
  for (const DeviceInfo& device : devices) {
    if (!device.address.empty()) {
      std::printf("worker %s at %s\n", device.name.c_str(), device.address.c_str());
    } else {
      std::printf("worker %s: %d thread%s, %s\n", device.name.c_str(), device.threads,
                  device.threads == 1 ? "" : "s", format_bytes(device.memory).c_str());
    }
  }
  std::fflush(stdout);
  Fleet fleet(devices, fleet_options(scratch.path(), options.serve.tls, options.benchmark.startup));
  const Benchmark benchmark = run_benchmark(directory, model, fleet, options.benchmark.options);
  const std::string source = options.source.empty() ? devices.front().name : options.source;
  PlanArguments plan_arguments = options.plan;
  if (const auto sizes = batch_sizes(benchmark); sizes.size() > 1)
    plan_arguments.batch = fmt::format("{}..{}", sizes.front(), sizes.back());
  Planning planning(model, benchmark, source, plan_arguments);
  std::vector<Plan> plans = planning.find_to_run(1, options.measure);
  if (options.measure > 0) {
    plans = rehearse_plans(planning, std::move(plans), options.measure, model, hash_of_model(directory),
                           fleet, head_options(options.serve));
  }
  const Plan& plan = plans.front();
  std::printf("\n%s\n", format_plan(plan).c_str());
  std::fflush(stdout);

  const std::filesystem::path deployment = create_deployment_directory();
  {
    Running running(directory, model, plan, fleet, deployment, options.serve);
    if (!options.inputs.empty()) try_inputs(options, model, plan, running.pipeline());
    if (!options.once) {
      std::printf("serving on %s, until Ctrl-C\n", options.serve.url(running.port()).c_str());
      std::fflush(stdout);
      signals.wait();
      running.stop();
    }
  }
  std::filesystem::remove_all(deployment);
}

}  // namespace

void add_up(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command =
      app.add_subcommand("up", "Slice, measure, plan and serve in one, with workers of this machine");
  options->model.add_to(*command);
  options->devices.add_to(*command);
  options->benchmark.add_to(*command);
  options->serve.add_to(*command);
  command->add_option("--source", options->source, "the machine where requests enter; the first without it");
  options->plan.add_to(*command);
  command
      ->add_option("--measure", options->measure,
                   "run so many of the best plans for a moment, and serve the one that does best")
      ->capture_default_str()
      ->check(CLI::Range(0, 100));
  command->add_option("--input", options->inputs,
                      "an .npy for each input: try it, and compare with the uncut model");
  command->add_flag("--once", options->once, "end after that");
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
