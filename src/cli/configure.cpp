// lamina configure: the best plan, from what was measured.
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/checks.h"
#include "cli/commands.h"
#include "cli/planning.h"
#include "cli/signals.h"
#include "cli/steps.h"
#include "cli/swarm.h"
#include "cli/tls_options.h"
#include "cluster/process_memory.h"
#include "deploy/swarm_fleet.h"
#include "plan/explain.h"
#include "plan/plan_file.h"
#include "plan/plan_svg.h"
#include "plan/plan_table.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <set>

#include <CLI/CLI.hpp>

namespace lamina::cli {

namespace {

struct Options {
  std::string directory;
  std::string source;
  PlanArguments plan;
  std::size_t top = 1;
  std::size_t measure = 0;
  double startup = 60;
  std::string head_listen = "127.0.0.1:0";
  TlsFiles tls;
  bool explain = false;
  bool dry_run = false;
  std::string svg;
  std::string target = "local";
  SwarmArguments swarm;
};

std::vector<Plan> rehearse_on_workers(const Options& options, const SlicedModel& model, Planning& planning,
                                      std::vector<Plan> plans) {
  start_logging("configure", "warn");
  keep_freed_memory();
  const TemporaryDirectory scratch;
  Fleet fleet(plans.front().devices, fleet_options(scratch.path(), options.tls, options.startup));
  HeadOptions head;
  head.listen = options.head_listen;
  head.tls = options.tls;
  return rehearse_plans(planning, std::move(plans), options.measure, model, hash_of_model(options.directory),
                        fleet, head);
}

// The machine that is named so, or whose node of a Swarm has such an id.
std::string resolve_source(const std::string& source, const Benchmark& benchmark) {
  const bool is_name = std::any_of(benchmark.devices.begin(), benchmark.devices.end(),
                                   [&](const DeviceInfo& device) { return device.name == source; });
  return is_name ? source : device_of_node(source);
}

// Measured where the workers are: inside the Swarm's network, which this machine's processes are not on.
void run_on_swarm(const Options& options, const CLI::App& command) {
  for (const char* option : {"--svg", "--dry-run", "--calibration"}) {
    if (command.count(option) == 0) continue;
    fail(ErrorCode::unsupported, "plans are measured in a container of the Swarm, which can't do {}", option);
  }
  const EndSignals signals;
  const std::string source = resolve_source(options.source, load_benchmark(options.directory));
  std::vector<std::string> words = {source};
  // What says where to run is said by the Swarm itself.
  const std::set<std::string> here = {"--target",        "--stack",     "--image",   "--with-registry",
                                      "--registry-port", "--encrypted", "--tls-ca",  "--tls-cert",
                                      "--tls-key",       "--insecure",  "--startup", "--certificates",
                                      "--head-listen"};
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_name();
    if (option->count() == 0 || !name.starts_with("-") || here.contains(name)) continue;
    words.push_back(name);
    if (option->get_expected_max() > 0) words.push_back(option->as<std::string>());
  }
  const std::string output = configure_on_swarm(
      options.swarm.options(options.directory, options.startup, options.tls, signals), source, words);
  std::printf("%swrote %s/plan.json\n", output.substr(0, output.rfind("wrote ")).c_str(),
              options.directory.c_str());
}

void run(const Options& options) {
  const SlicedModel model = load_sliced_model(options.directory);
  const Benchmark benchmark = load_benchmark(options.directory);
  Planning planning(model, benchmark, resolve_source(options.source, benchmark), options.plan);
  std::vector<Plan> plans = planning.find_to_run(options.top, options.measure);
  if (options.measure > 0) plans = rehearse_on_workers(options, model, planning, std::move(plans));
  for (const std::string& remark : planning.remarks()) std::fprintf(stderr, "%s\n", remark.c_str());
  const std::size_t shown = std::min(options.top, plans.size());
  for (std::size_t rank = 0; rank < shown; ++rank) {
    if (options.top > 1) std::printf("%splan %zu of %zu\n", rank > 0 ? "\n" : "", rank + 1, shown);
    std::printf("%s", format_plan(plans[rank]).c_str());
  }
  const Plan& best = plans.front();
  std::vector<Placement> front;
  const PlanningProblem& made_from = planning.made_from(best);
  if (options.explain || !options.svg.empty())
    front = find_pareto_front(made_from.problem, made_from.request);
  if (options.explain) {
    std::printf("\n%s\nBetween least latency and highest rate:\n%s",
                explain_placement(made_from.problem, made_from.request,
                                  placement_of(best, made_from.benchmark, made_from.problem), best)
                    .c_str(),
                format_pareto_front(made_from.problem, front, joined_requests(best)).c_str());
  }
  if (!options.svg.empty()) {
    std::vector<PlanPoint> points;
    points.reserve(front.size());
    for (const Placement& placement : front)
      points.push_back({placement.latency, placement.period / joined_requests(best)});
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
  command
      ->add_option("SOURCE", options->source,
                   "the machine where requests enter and answers leave: its name, or the id of its node")
      ->required();
  options->plan.add_to(*command);
  command->add_option("--batch", options->plan.batch,
                      "join single requests into batches of a size, or of the best size measured in a range "
                      "such as 1..64");
  command->add_option("--top", options->top, "so many plans, the best first; the first is kept")
      ->capture_default_str()
      ->check(CLI::Range(1, 100));
  command
      ->add_option(
          "--measure", options->measure,
          "run so many of the best plans on the machines for a moment, and keep the one that does best")
      ->capture_default_str()
      ->check(CLI::Range(0, 100));
  command->add_option("-s,--startup", options->startup, "seconds that workers may take to start for that")
      ->capture_default_str()
      ->check(positive_number());
  command
      ->add_option("--head-listen", options->head_listen,
                   "HOST:PORT where workers deliver answers then; they must reach it")
      ->capture_default_str();
  add_tls_options(*command, options->tls, "head");
  command->add_flag("--explain", options->explain,
                    "say where time and memory go, and what other plans there are");
  command->add_option("--svg", options->svg, "draw the plan into this file");
  command->add_flag("--dry-run", options->dry_run, "keep the plan.json that is there");
  command
      ->add_option("--target", options->target,
                   "where --measure runs plans: the addresses in the benchmark, or nodes of a Docker Swarm")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "swarm"}));
  options->swarm.add_to(*command);
  command->callback([options, command] {
    if (options->target == "swarm" && options->measure > 0) {
      run_on_swarm(*options, *command);
    } else {
      run(*options);
    }
  });
}

}  // namespace lamina::cli
