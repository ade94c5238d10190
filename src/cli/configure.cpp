// lamina configure: the best plan, from what was measured.
#include "base/file.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "plan/explain.h"
#include "plan/plan_svg.h"

#include <cstdio>
#include <memory>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  std::string directory;
  std::string source;
  PlanArguments plan;
  std::size_t top = 1;
  bool explain = false;
  bool dry_run = false;
  std::string svg;
};

std::vector<std::string> stage_names(const Plan& plan) {
  std::vector<std::string> names;
  for (const PlannedStage& stage : plan.stages) names.push_back(stage.name);
  return names;
}

void run(const Options& options) {
  const SlicedModel model = load_sliced_model(options.directory);
  const Planned planned =
      make_plans(model, load_benchmark(options.directory), options.source, options.plan, options.top);
  for (std::size_t rank = 0; rank < planned.plans.size(); ++rank) {
    if (options.top > 1)
      std::printf("%splan %zu of %zu\n", rank > 0 ? "\n" : "", rank + 1, planned.plans.size());
    std::printf("%s", format_plan(planned.plans[rank]).c_str());
  }
  const Plan& best = planned.plans.front();
  std::vector<Placement> front;
  if (options.explain || !options.svg.empty()) front = find_pareto_front(planned.problem, planned.request);
  if (options.explain) {
    std::printf(
        "\n%s\nBetween least latency and highest rate:\n%s",
        explain_placement(planned.problem, planned.request, planned.placements.front(), stage_names(best))
            .c_str(),
        format_pareto_front(planned.problem, front).c_str());
  }
  if (!options.svg.empty()) {
    std::vector<PlanPoint> points;
    for (const Placement& placement : front) points.push_back({placement.latency, placement.period});
    write_file(options.svg, plan_svg(best, points));
    std::printf("wrote %s\n", options.svg.c_str());
  }
  if (options.dry_run) return;
  save_plan(options.directory, best);
  std::printf("wrote %s/plan.json\n", options.directory.c_str());
}

}  // namespace

void add_configure(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("configure", "Find the best plan for the measured machines");
  command->add_option("DIR", options->directory, "a directory that 'lamina benchmark' has measured")
      ->required();
  command->add_option("SOURCE", options->source, "the machine where requests enter and answers leave")
      ->required();
  options->plan.add_to(*command);
  command->add_option("--top", options->top, "so many plans, the best first; the first is kept")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command->add_flag("--explain", options->explain,
                    "say where time and memory go, and what other plans there are");
  command->add_option("--svg", options->svg, "draw the plan into this file");
  command->add_flag("--dry-run", options->dry_run, "keep the plan.json that is there");
  command->callback([options] { run(*options); });
}

}  // namespace lamina::cli
