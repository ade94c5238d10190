// lamina deploy: a plan as a running pipeline behind one address.
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/duration.h"
#include "base/error.h"
#include "base/file.h"
#include "base/log.h"
#include "cli/checks.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/deploy_targets.h"
#include "cli/fetch.h"
#include "cli/resume.h"
#include "cli/running.h"
#include "cli/signals.h"
#include "cli/steps.h"
#include "cli/swarm.h"
#include "cluster/process_memory.h"
#include "deploy/bundle.h"
#include "deploy/compose.h"
#include "deploy/process.h"
#include "plan/plan_file.h"
#include "plan/plan_table.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <iterator>
#include <memory>
#include <optional>
#include <vector>

#include <CLI/CLI.hpp>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

namespace lamina::cli {

namespace {

constexpr std::chrono::minutes kStartLimit{10};

struct Options {
  std::string directory;
  ServeArguments serve;
  double startup = 60;
  bool detach = false;
  bool resume = false;
  std::vector<std::string> workers;  // NAME=HOST:PORT
  std::string target = "local";
  SwarmArguments swarm;
  std::string fetch;       // HOST:PORT
  std::string deployment;  // made by the process that detached this one
};

// The directory of a deployment; removed at the end with whatever is in it.
class DeploymentDirectory {
 public:
  explicit DeploymentDirectory(std::filesystem::path path) : path_(std::move(path)) {}
  ~DeploymentDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  DeploymentDirectory(const DeploymentDirectory&) = delete;
  DeploymentDirectory& operator=(const DeploymentDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }
  void keep() { path_.clear(); }

 private:
  std::filesystem::path path_;
};

std::filesystem::path deployment_directory(const Options& options,
                                           const std::optional<DeploymentRecord>& interrupted) {
  if (interrupted && options.deployment.empty()) return deployments_directory() / interrupted->id;
  if (options.deployment.empty()) return create_deployment_directory();
  // The process that detached this one waits for its own directory; what the other holds goes there.
  if (interrupted) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(deployments_directory() / interrupted->id)) {
      if (entry.is_directory())
        std::filesystem::rename(entry.path(),
                                std::filesystem::path(options.deployment) / entry.path().filename(), ignored);
    }
    std::filesystem::remove_all(deployments_directory() / interrupted->id, ignored);
  }
  return options.deployment;
}

// Has devices of the plan run at other addresses than it says.
void place_workers(Plan& plan, const std::vector<std::string>& workers) {
  for (const std::string& worker : workers) {
    const std::size_t equals = worker.find('=');
    const std::string name = worker.substr(0, equals);
    const auto device = std::find_if(plan.devices.begin(), plan.devices.end(),
                                     [&](const DeviceInfo& known) { return known.name == name; });
    if (equals == std::string::npos || device == plan.devices.end()) {
      fail(ErrorCode::invalid_argument, "--worker is '{}', expected NAME=HOST:PORT with a device of the plan",
           worker);
    }
    device->address = worker.substr(equals + 1);
  }
}

void serve(const Options& options) {
  const EndSignals signals;
  start_logging("head", "info");
  keep_freed_memory();
  if (!options.fetch.empty()) fetch_model(options.fetch, options.serve.tls, options.directory);
  // A bundle's weights were checked when it was packed; since then they have one hash.
  const bool bundle = is_bundle(options.directory);
  if (bundle) check_bundle(options.directory);
  const SlicedModel model = load_sliced_model(options.directory);
  if (!bundle) check_weights(options.directory, model);
  Plan plan = load_plan(options.directory);
  place_workers(plan, options.workers);
  const std::optional<DeploymentRecord> interrupted = take_up_interrupted(options.directory);
  if (options.resume && !interrupted)
    fail(ErrorCode::not_found, "no deployment of '{}' was interrupted", options.directory);
  ServeArguments arguments = options.serve;
  if (interrupted && arguments.port == 0) arguments.port = interrupted->port;
  if (interrupted) spdlog::info("taking up deployment {}, whose head died", interrupted->id);
  const DeploymentDirectory deployment(deployment_directory(options, interrupted));
  // Machines that were lost before the head are no reason not to serve.
  arguments.may_miss = arguments.may_miss || interrupted;
  // Of the other machines, those that are to be started here stand by; the rest is found when it is needed.
  std::vector<DeviceInfo> devices;
  std::copy_if(plan.devices.begin(), plan.devices.end(), std::back_inserter(devices),
               [&](const DeviceInfo& device) {
                 return device.address.empty() || (uses(plan, device.name) && !arguments.may_miss);
               });
  Fleet fleet(devices, fleet_options(deployment.path(), options.serve.tls, options.startup));
  Running running(options.directory, model, plan, fleet, deployment.path(), arguments,
                  interrupted.has_value());
  std::printf("%sserving on %s\n", format_plan(plan).c_str(), options.serve.url(running.port()).c_str());
  std::fflush(stdout);
  write_file(deployment.path() / "ready", std::to_string(running.port()));
  signals.wait();
  spdlog::info("ending; requests under way are finished first");
  running.stop();
}

// Starts the same command line again as a process that stays, and waits until it serves.
void detach(const Options& options, const std::vector<std::string>& arguments) {
  DeploymentDirectory deployment(create_deployment_directory());
  const std::filesystem::path log = deployment.path() / "head.log";
  std::vector<std::string> words = {std::filesystem::read_symlink("/proc/self/exe").string()};
  for (const std::string& argument : arguments) {
    if (argument != "--detach") words.push_back(argument);
  }
  words.insert(words.end(), {"--deployment", deployment.path().string()});
  std::vector<char*> pointers;
  pointers.reserve(words.size() + 1);
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  const Descriptor output(::open(log.c_str(), O_RDWR | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0644));
  if (output.get() < 0) fail_with_errno(errno, fmt::format("can't write '{}'", log.string()));
  const pid_t child = ::fork();
  if (child < 0) fail_with_errno(errno, "can't start a process");
  if (child == 0) {
    ::setsid();
    ::dup2(::open("/dev/null", O_RDONLY), STDIN_FILENO);
    ::dup2(output.get(), STDOUT_FILENO);
    ::dup2(output.get(), STDERR_FILENO);
    ::execv(pointers[0], pointers.data());
    ::_exit(127);
  }
  const Deadline deadline(kStartLimit);
  while (!std::filesystem::exists(deployment.path() / "ready")) {
    int status = 0;
    if (::waitpid(child, &status, WNOHANG) == child) {
      // By descriptor: the child removes its directory, and the log in it, when it fails.
      fail(ErrorCode::unavailable, "the deployment did not start: {}", end_of_log(output.get()));
    }
    if (deadline.passed()) {
      end_process(child, std::chrono::seconds(10));
      fail(ErrorCode::deadline_exceeded, "the deployment did not start in time");
    }
    ::usleep(20'000);
  }
  const std::string port = read_file(deployment.path() / "ready", 100);
  std::printf("deployment %s serves on %s\n", deployment.path().filename().c_str(),
              options.serve.url(std::stoi(port)).c_str());
  deployment.keep();
}

void deploy_with_compose(const Options& options, const CLI::App& command) {
  const ContainerRecord record = start_compose({.bundle = options.directory,
                                                .name = options.swarm.stack,
                                                .parameters = given_for_bundle(command),
                                                .startup = to_milliseconds(options.startup)});
  std::printf("deployment %s serves on port %d; end it with 'lamina clean %s'\n", record.name.c_str(),
              record.port, record.name.c_str());
}

void deploy_with_swarm(const Options& options, const CLI::App& command) {
  const EndSignals signals;
  const SwarmDeployment made =
      deploy_on_swarm(options.swarm.options(options.directory, options.startup, options.serve.tls, signals),
                      swarm_serve_options(options.serve, command));
  const std::string& name = made.record.name;
  std::printf("deployment %s serves on %s://%s:%d, node %s; end it with 'lamina clean %s'\n", name.c_str(),
              options.serve.http.tls || options.serve.tls.enabled() ? "https" : "http",
              made.source.address.c_str(), made.record.port, made.source.host.c_str(), name.c_str());
}

}  // namespace

void add_deploy(CLI::App& app) {
  auto options = std::make_shared<Options>();
  CLI::App* command = app.add_subcommand("deploy", "Serve a plan behind one address");
  command
      ->add_option("DIR", options->directory,
                   "a directory that 'lamina configure' has planned or 'lamina bundle' has made")
      ->required();
  options->serve.add_to(*command);
  command->add_option("-s,--startup", options->startup, "seconds that workers may take to start")
      ->capture_default_str()
      ->check(positive_number());
  command->add_flag("--detach", options->detach,
                    "go on in the background; see 'lamina status' and 'lamina clean'");
  command->add_flag(
      "--resume", options->resume,
      "only take up a deployment whose head was killed; without it such a one is taken up where "
      "there is one");
  command->add_flag("--without-missing", options->serve.may_miss,
                    "do without machines of the plan that do not answer, until they do, instead of failing");
  command->add_option("--deployment", options->deployment)->group("");
  command->add_option("--fetch", options->fetch,
                      "HOST:PORT of 'lamina keep', to take the model and its plan into DIR from first");
  command->add_option("--worker", options->workers,
                      "NAME=HOST:PORT: a device of the plan whose worker runs there already");
  command
      ->add_option("--target", options->target,
                   "what runs it: processes of this machine, Docker Compose, or the nodes of a Docker Swarm")
      ->capture_default_str()
      ->check(CLI::IsMember({"local", "compose", "swarm"}));
  options->swarm.add_to(*command);
  command->callback([options, command] {
    refuse_options_of_other_targets(*command, options->target);
    if (options->target == "compose") {
      deploy_with_compose(*options, *command);
      return;
    }
    if (options->target == "swarm") {
      deploy_with_swarm(*options, *command);
      return;
    }
    if (!options->detach) {
      serve(*options);
      return;
    }
    detach(*options, own_arguments());
  });
}

}  // namespace lamina::cli
