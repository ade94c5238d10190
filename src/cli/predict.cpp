// lamina predict: one machine, no cutting.
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/answer.h"
#include "cli/commands.h"
#include "cli/model_argument.h"
#include "cli/tensor_arguments.h"
#include "engine/engine.h"
#include "engine/precision.h"

#include <algorithm>
#include <cstdio>
#include <memory>
#include <vector>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct PredictOptions {
  ModelArgument model;
  std::vector<std::string> inputs;
  std::vector<std::string> outputs;
  std::string engine = "openvino";
  std::string precision = "f32";
  double tolerance = kTolerance;
  int threads = 0;
  int repeat = 1;
  std::string classes;
  std::string timings;
};

std::unique_ptr<Executable> compile_model(const PredictOptions& options, Engine& engine, const Graph& graph,
                                          const std::vector<Tensor>& inputs, std::int64_t batch) {
  CompileOptions compile{.threads = options.threads, .batch = batch};
  if (options.precision != "auto") {
    compile.precision = precision_from_string(options.precision);
    return engine.compile(graph, compile);
  }
  AutoPrecision chosen = compile_with_auto_precision(engine, graph, compile, inputs, options.tolerance);
  std::fprintf(stderr, "precision %s: %s\n", std::string(to_string(chosen.precision)).c_str(),
               chosen.reason.c_str());
  return std::move(chosen.executable);
}

void run(const PredictOptions& options) {
  if (options.repeat < 1)
    fail(ErrorCode::invalid_argument, "--repeat is {}, expected at least 1", options.repeat);
  const std::shared_ptr<Engine> engine = load_engine(options.engine);
  Signature signature;
  std::vector<Tensor> inputs;
  std::unique_ptr<Executable> executable;
  {
    const Graph graph = options.model.load();
    signature = signature_of(graph);
    inputs = load_inputs(signature, options.inputs);
    const std::int64_t batch = check_inputs(signature, inputs);
    executable = compile_model(options, *engine, graph, inputs, batch);
  }

  std::vector<double> seconds;
  std::vector<Tensor> outputs;
  for (int i = 0; i < options.repeat; ++i) {
    const Clock::time_point begin = Clock::now();
    outputs = executable->run(inputs);
    seconds.push_back(seconds_since(begin));
  }
  save_outputs(signature, outputs, options.outputs);
  if (!options.timings.empty()) {
    const MemoryUse memory = executable->memory();
    const Json report = {
        {"seconds", seconds}, {"weight_bytes", memory.weights}, {"activation_bytes", memory.activations}};
    write_file(options.timings, report.dump());
  }
  print_answer(signature, outputs, load_classes(options.classes));
  if (options.repeat > 1) {
    // The first run also allocates; it is not counted.
    std::nth_element(seconds.begin() + 1,
                     seconds.begin() + 1 + static_cast<std::ptrdiff_t>(seconds.size() - 1) / 2,
                     seconds.end());
    std::printf("median of %d runs after the first: %s\n", options.repeat - 1,
                format_seconds(seconds[1 + (seconds.size() - 1) / 2]).c_str());
  }
}

}  // namespace

void add_predict(CLI::App& app) {
  auto options = std::make_shared<PredictOptions>();
  CLI::App* command = app.add_subcommand("predict", "Run a model on this machine, uncut");
  options->model.add_to(*command);
  command->add_option("INPUT", options->inputs, "an .npy file for each input, in order or as NAME=FILE")
      ->required();
  command
      ->add_option("-o,--output", options->outputs,
                   "where to write outputs: OUT.npy, or NAME=OUT.npy for each")
      ->required();
  command->add_option("--engine", options->engine, "what runs the model")->capture_default_str();
  command->add_option("--threads", options->threads, "threads to use; 0 for all")->capture_default_str();
  command
      ->add_option("--precision", options->precision,
                   "f32, bf16, or auto: bf16 where the answers stay the same")
      ->capture_default_str();
  command
      ->add_option("--tolerance", options->tolerance,
                   "greatest difference, relative to the largest output, that auto accepts")
      ->capture_default_str();
  command->add_option("--classes", options->classes, "a file of class names, one a line, to name the answer");
  command->add_option("--repeat", options->repeat, "run so many times and print the median time")
      ->capture_default_str();
  command->add_option("--timings", options->timings,
                      "write the time of each run and the memory used, as JSON");
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
