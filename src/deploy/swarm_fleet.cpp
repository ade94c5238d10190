#include "deploy/swarm_fleet.h"

#include "base/error.h"
#include "base/file.h"
#include "deploy/compose_file.h"
#include "deploy/image.h"
#include "plan/plan_file.h"
#include "serve/probe.h"
#include "slice/artifact.h"

#include <algorithm>
#include <thread>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kPoll{200};
constexpr std::chrono::seconds kProbe{2};
constexpr const char* kClasses = "classes.txt";

ContainerRecord record_of(const SwarmOptions& options, const std::string& suffix) {
  const std::filesystem::path directory = std::filesystem::absolute(options.directory).lexically_normal();
  ContainerRecord record;
  const std::filesystem::path last =
      directory.has_filename() ? directory.filename() : directory.parent_path().filename();
  record.name = project_name(options.name.empty() ? last.string() + suffix : options.name);
  record.target = "swarm";
  record.directory = directory.string();
  record.docker_host = docker_of_environment().host();
  return record;
}

void check_security(const SwarmOptions& options) {
  if (!options.tls.enabled() && !options.tls.insecure) {
    fail(ErrorCode::invalid_argument,
         "a Swarm's network joins machines: give --certificates DIR, which 'lamina cert DIR' made, or say "
         "--insecure where "
         "strangers are kept away");
  }
}

std::vector<SwarmNode> nodes_that_take_tasks(const Swarm& swarm,
                                             const std::function<void(const std::string&)>& say) {
  std::vector<SwarmNode> usable;
  for (const SwarmNode& node : swarm.nodes()) {
    if (node.ready && node.active) {
      usable.push_back(node);
    } else {
      say(fmt::format("node '{}' is left out: it {}", node.name, node.ready ? "takes no tasks" : "is down"));
    }
  }
  if (usable.empty()) fail(ErrorCode::unavailable, "no node of the Swarm takes tasks");
  return usable;
}

std::string address_of(const SwarmNode& node) { return fmt::format("{}:{}", node.name, kWorkerPort); }

// devices.toml as the measuring process reads it.
std::string devices_file(const std::vector<SwarmNode>& nodes) {
  std::string text;
  for (const SwarmNode& node : nodes) {
    text += fmt::format("[[device]]\nname = \"{}\"\naddress = \"{}\"\n", node.name, address_of(node));
    if (node.cpus > 0) text += fmt::format("cpus = {:.9g}\n", node.cpus);
  }
  return text;
}

std::vector<std::string> benchmark_arguments(const BenchmarkOptions& options,
                                             std::chrono::milliseconds startup) {
  return {"benchmark",
          kImageStore,
          "--devices",
          fmt::format("{}/devices.toml", kImageStore),
          "--batch",
          fmt::format("{}", fmt::join(options.batches, ",")),
          "--repeats",
          std::to_string(options.repeats),
          "--bandwidth-seconds",
          fmt::format("{}", options.bandwidth_seconds),
          "--pings",
          std::to_string(options.pings),
          "--memory-multiplier",
          fmt::format("{}", options.memory_multiplier),
          "--startup",
          fmt::format("{}", std::chrono::duration<double>(startup).count())};
}

// The node that was measured as the device; nullptr where it is not there.
const SwarmNode* find_node(const std::vector<SwarmNode>& nodes, const DeviceInfo& device) {
  const auto found = std::find_if(nodes.begin(), nodes.end(), [&](const SwarmNode& node) {
    return node.name == device.name && address_of(node) == device.address;
  });
  return found == nodes.end() ? nullptr : &*found;
}

// A node that the plan needs.
const SwarmNode& node_of(const std::vector<SwarmNode>& nodes, const DeviceInfo& device) {
  const SwarmNode* found = find_node(nodes, device);
  if (found == nullptr) {
    fail(ErrorCode::not_found,
         "'{}' of the plan is no node of this Swarm; measure it with 'lamina benchmark --target swarm'",
         device.name);
  }
  if (!found->ready || !found->active)
    fail(ErrorCode::unavailable, "node '{}' {}", found->name, found->ready ? "takes no tasks" : "is down");
  return *found;
}

// A head on this daemon's node that ends by itself.
SwarmService run_to_its_end(const Swarm& swarm, SwarmStack& stack, SwarmService head) {
  head.ends = true;
  const SwarmService started = stack.start_head(std::move(head), swarm.own_node());
  while (!swarm.has_ended(started)) {
    stack.expect_running();
    swarm.interruption_point();
    std::this_thread::sleep_for(kPoll);
  }
  return started;
}

// By their names in the head's directory.
std::vector<NamedFile> files_of_head(const std::filesystem::path& directory,
                                     const SwarmServeOptions& served) {
  std::vector<NamedFile> files;
  // By the benchmark the head plans for those that are left when a node dies.
  for (const char* name : {"model.json", "weights.safetensors", "plan.json", "benchmark.json"}) {
    if (std::filesystem::exists(directory / name)) files.emplace_back(directory / name, name);
  }
  if (!served.classes.empty()) files.emplace_back(served.classes, kClasses);
  return files;
}

}  // namespace

std::string device_of_node(const std::string& node) {
  try {
    const Swarm swarm(docker_of_environment(), [] {});
    std::vector<std::string> found;
    for (const SwarmNode& known : swarm.nodes()) {
      if (known.host == node || known.id.starts_with(node)) found.push_back(known.name);
    }
    if (found.size() == 1) return found.front();
  } catch (const Error&) {
    // Without a Swarm it is no node's.
  }
  return node;
}

Benchmark benchmark_on_swarm(const SwarmOptions& options, const BenchmarkOptions& measured,
                             const std::function<void(const std::string&)>& say) {
  check_security(options);
  const Swarm swarm(docker_of_environment(), options.interruption);
  const std::vector<SwarmNode> nodes = nodes_that_take_tasks(swarm, say);
  SwarmStack stack(swarm, options, record_of(options, "-benchmark"));
  stack.start_network();
  std::vector<std::pair<SwarmNode, DeviceInfo>> workers;
  for (const SwarmNode& node : nodes) {
    DeviceInfo device;
    device.name = node.name;
    device.threads = node.threads;
    device.cpus = node.cpus;
    device.memory = node.memory;
    workers.emplace_back(node, device);
  }
  const TemporaryDirectory scratch;
  write_file(scratch.path() / "devices.toml", devices_file(nodes));
  stack.start_workers(workers, {{options.directory / "model.json", "model.json"},
                                {options.directory / "weights.safetensors", "weights.safetensors"},
                                {scratch.path() / "devices.toml", "devices.toml"}});
  SwarmService measuring;
  measuring.arguments = benchmark_arguments(measured, options.startup);
  run_to_its_end(swarm, stack, std::move(measuring));
  stack.fetch("benchmark.json", scratch.path());
  const Benchmark benchmark = load_benchmark(scratch.path());
  stack.remove();
  save_benchmark(options.directory, benchmark);
  return benchmark;
}

std::string configure_on_swarm(const SwarmOptions& options, const std::string& source,
                               const std::vector<std::string>& arguments) {
  check_security(options);
  const Benchmark benchmark = load_benchmark(options.directory);
  const Swarm swarm(docker_of_environment(), options.interruption);
  const std::vector<SwarmNode> nodes = swarm.nodes();
  std::vector<std::pair<SwarmNode, DeviceInfo>> workers;
  for (const DeviceInfo& device : benchmark.devices) {
    workers.emplace_back(node_of(nodes, device), device);
    if (device.name == source && workers.back().first.id != swarm.own_node()) {
      fail(ErrorCode::unsupported,
           "plans are measured from this Docker's node, and '{}' is another; configure without --measure, or "
           "on that node",
           source);
    }
  }
  SwarmStack stack(swarm, options, record_of(options, "-configure"));
  stack.start_network();
  std::vector<NamedFile> files;
  for (const char* name : {"model.json", "weights.safetensors", "benchmark.json"})
    files.emplace_back(options.directory / name, name);
  stack.start_workers(workers, files);
  SwarmService configuring;
  configuring.arguments = {"configure", kImageStore, "--head-listen",
                           fmt::format("{}:{}", kHeadHost, kAnswerPort)};
  configuring.arguments.insert(configuring.arguments.end(), arguments.begin(), arguments.end());
  const SwarmService ended = run_to_its_end(swarm, stack, std::move(configuring));
  const TemporaryDirectory scratch;
  stack.fetch("plan.json", scratch.path());
  const Plan plan = load_plan(scratch.path());
  const std::string output = swarm.output_of(ended);
  stack.remove();
  save_plan(options.directory, plan);
  return output;
}

SwarmDeployment deploy_on_swarm(const SwarmOptions& options, const SwarmServeOptions& served) {
  const Plan plan = load_plan(options.directory);
  if (plan.model_hash != hash_of_model(options.directory))
    fail(ErrorCode::invalid_argument, "'{}/plan.json' was made for another model",
         options.directory.string());
  check_security(options);
  const Swarm swarm(docker_of_environment(), options.interruption);
  const std::vector<SwarmNode> nodes = swarm.nodes();
  std::vector<std::pair<SwarmNode, DeviceInfo>> workers;
  const SwarmNode* source = nullptr;
  for (const DeviceInfo& device : plan.devices) {
    const bool is_source = device.name == plan.source;
    if (is_source || uses(plan, device.name)) {
      const SwarmNode& node = node_of(nodes, device);
      if (is_source) source = &node;
      workers.emplace_back(node, device);
    } else if (const SwarmNode* spare = find_node(nodes, device);
               spare != nullptr && spare->ready && spare->active) {
      workers.emplace_back(*spare, device);  // for when another dies
    }
  }
  if (source == nullptr)
    fail(ErrorCode::invalid_argument, "the plan's source '{}' is not among its devices", plan.source);
  ContainerRecord record = record_of(options, "");
  record.port = served.port;
  record.host = source->address;
  record.https = served.https;
  SwarmStack stack(swarm, options, record);
  stack.start_network();
  SwarmService head;
  head.port = kHttpPort;
  head.published_port = served.port;
  head.restarts = true;
  head.arguments = {"deploy",           kImageStore,
                    "--host",           "0.0.0.0",
                    "--port",           std::to_string(kHttpPort),
                    "--head-listen",    fmt::format("{}:{}", kHeadHost, kAnswerPort),
                    "--without-missing"};
  head.arguments.insert(head.arguments.end(), served.arguments.begin(), served.arguments.end());
  if (!served.classes.empty())
    head.arguments.insert(head.arguments.end(), {"--classes", fmt::format("{}/{}", kImageStore, kClasses)});
  stack.start_workers(workers, files_of_head(options.directory, served));
  // A volume belongs to one node, and this daemon fills and removes those of its own alone.
  if (source->id != swarm.own_node())
    head.arguments.insert(head.arguments.end(), {"--fetch", stack.start_keeper()});
  stack.start_head(std::move(head), source->id, served.secrets);
  const Deadline deadline(options.startup);
  while (!is_serving(record.host, record.port, record.https, kProbe)) {
    stack.expect_running();
    swarm.interruption_point();
    if (deadline.passed()) {
      fail(ErrorCode::deadline_exceeded, "'{}' did not serve at {}:{} within {} s", record.name,
           source->address, served.port,
           std::chrono::duration_cast<std::chrono::seconds>(options.startup).count());
    }
    std::this_thread::sleep_for(kPoll);
  }
  stack.keep();
  return {record, *source};
}

}  // namespace lamina
