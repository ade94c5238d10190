// lamina configure: the placement of least latency, from what was measured.
#include "cli/commands.h"
#include "cli/steps.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void add_configure(CLI::App& app) {
  struct Options {
    std::string directory;
    std::string source;
    std::string constraints;
  };
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("configure", "Place the pieces where they answer soonest");
  command->add_option("DIR", options->directory, "a directory that 'lamina benchmark' has measured")
      ->required();
  command->add_option("SOURCE", options->source, "the machine where requests enter and answers leave")
      ->required();
  command->add_option(
      "-c,--constraints", options->constraints,
      "must={slice:machine,…},mustnot={…}; slices by name of layer, * stands for any letters");
  command->callback([options] {
    const SlicedModel model = load_sliced_model(options->directory);
    const Plan plan =
        run_planner(model, load_benchmark(options->directory), options->source, options->constraints);
    save_plan(options->directory, plan);
    std::printf("%swrote %s/plan.json\n", format_plan(plan).c_str(), options->directory.c_str());
  });
}

}  // namespace lamina::cli
