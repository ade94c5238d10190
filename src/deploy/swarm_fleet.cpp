#include "deploy/swarm_fleet.h"

#include "base/error.h"
#include "base/file.h"
#include "deploy/compose_file.h"
#include "deploy/image.h"
#include "deploy/swarm_removal.h"
#include "plan/plan_file.h"
#include "serve/probe.h"
#include "slice/artifact.h"

#include <algorithm>
#include <thread>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::minutes kTransfer{30};
constexpr std::chrono::milliseconds kPoll{200};
constexpr std::chrono::seconds kProbe{2};

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

// What a deployment has made so far. Removed at the end unless kept.
class Stack {
 public:
  Stack(const Swarm& swarm, const SwarmOptions& options, ContainerRecord record)
      : swarm_(swarm),
        options_(options),
        record_(std::move(record)),
        image_(swarm.resolve_image(options.image)) {
    expect_free_name(swarm_.docker(), record_.name);
    save_record(record_);
    exists_ = true;
  }
  ~Stack() {
    if (!exists_) return;
    try {
      remove();
    } catch (const Error&) {
      // The record stays, so that `lamina clean` can finish it.
    }
  }
  Stack(const Stack&) = delete;
  Stack& operator=(const Stack&) = delete;

  // And the secrets that the services share.
  void start_network() {
    if (options_.tls.enabled()) {
      for (const std::string& file : secret_files("head")) create_secret(file);
      for (const char* file : {"worker.pem", "worker.key"}) create_secret(file);
    }
    swarm_.create_network(network(), record_.name, options_.encrypted);
  }

  void start_workers(const std::vector<std::pair<SwarmNode, DeviceInfo>>& workers) {
    for (const auto& [node, device] : workers) {
      SwarmService service;
      service.name = fmt::format("{}_{}", record_.name, service_name(node.name));
      service.node = node.id;
      service.alias = node.name;
      service.cpus = device.cpus;
      service.memory = device.memory;
      service.restarts = true;
      service.arguments = {"worker",
                           "--name",
                           node.name,
                           "--listen",
                           fmt::format("0.0.0.0:{}", kWorkerPort),
                           "--store",
                           kImageStore,
                           "--threads",
                           std::to_string(device.threads),
                           "--memory",
                           std::to_string(device.memory)};
      add_security("worker", service);
      swarm_.create_service(service, network(), image_, record_.name);
      services_.push_back(std::move(service));
    }
    wait();
  }

  // Of the volume that fill_volume() made, on this daemon's node.
  const SwarmService& start_head(SwarmService head) {
    head.name = record_.name + "_head";
    head.node = swarm_.own_node();
    head.alias = kHeadHost;
    head.volume = volume();
    add_security("head", head);
    swarm_.create_service(head, network(), image_, record_.name);
    services_.push_back(std::move(head));
    wait();
    return services_.back();
  }

  // Puts files into a volume of this daemon's node.
  void fill_volume(const std::vector<std::filesystem::path>& files) const {
    swarm_.docker().run({"volume", "create", "--label", label(), volume()});
    const std::string container = create_container();
    for (const std::filesystem::path& file : files) {
      swarm_.interruption_point();
      swarm_.docker().run({"cp", "--follow-link", file.string(), in_volume(container, file.filename())},
                          kTransfer);
    }
    swarm_.docker().run({"container", "rm", "--force", container});
  }
  // Takes a file out of it, into a directory.
  void fetch(const std::string& file, const std::filesystem::path& directory) const {
    const std::string container = create_container();
    swarm_.docker().run({"cp", in_volume(container, file), directory.string()}, kTransfer);
    swarm_.docker().run({"container", "rm", "--force", container});
  }

  void expect_running() const {
    explain([&] { swarm_.expect_running(services_, options_.image); });
  }

  const ContainerRecord& record() const { return record_; }
  void remove() {
    exists_ = false;
    remove_deployment(record_);
  }
  void keep() { exists_ = false; }

 private:
  std::string volume() const { return record_.name + "_model"; }
  static std::string in_volume(const std::string& container, const std::filesystem::path& file) {
    return fmt::format("{}:{}/{}", container, kImageStore, file.string());
  }
  // Never started: a way into the volume.
  std::string create_container() const {
    return lines_of(swarm_.docker().run({"container", "create", "--label", label(), "--volume",
                                         volume() + ":" + kImageStore, image_, "--version"}))
        .at(0);
  }
  static std::vector<std::string> secret_files(const std::string& role) {
    return {"authority.pem", role + ".pem", role + ".key"};
  }
  std::string secret(const std::string& file) const { return record_.name + "_" + file; }
  void create_secret(const std::string& file) const {
    swarm_.create_secret(secret(file), options_.tls.authority.parent_path() / file, record_.name);
  }
  void add_security(const std::string& role, SwarmService& service) const {
    if (!options_.tls.enabled()) {
      service.arguments.emplace_back("--insecure");
      return;
    }
    service.arguments.insert(service.arguments.end(), {"--certificates", kSecrets});
    for (const std::string& file : secret_files(role)) service.secrets.emplace_back(secret(file), file);
  }
  std::string network() const { return record_.name + "_pipeline"; }
  std::string label() const { return label_of(record_.name); }
  void wait() const {
    explain([&] { swarm_.wait_until_running(services_, options_.image, options_.startup); });
  }
  // Where a kernel lacks IPsec, tasks wait for their network, or run in one that carries nothing.
  template <typename Action>
  void explain(const Action& action) const {
    try {
      action();
    } catch (const Error& error) {
      const bool network =
          error.code() == ErrorCode::deadline_exceeded || error.code() == ErrorCode::unavailable;
      if (!options_.encrypted || !network) throw;
      fail(error.code(),
           "{}; an encrypted network needs IPsec in the kernel of every node (modules esp4 and xfrm_user)",
           error.what());
    }
  }

  const Swarm& swarm_;
  const SwarmOptions& options_;
  ContainerRecord record_;
  std::string image_;
  std::vector<SwarmService> services_;
  bool exists_ = false;
};

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

}  // namespace

std::string device_of_node(const std::string& id) {
  try {
    const Swarm swarm(docker_of_environment(), [] {});
    std::vector<std::string> found;
    for (const SwarmNode& node : swarm.nodes()) {
      if (node.host == id || node.id.starts_with(id)) found.push_back(node.name);
    }
    if (found.size() == 1) return found.front();
  } catch (const Error&) {
    // Without a Swarm it is no node's.
  }
  return id;
}

Benchmark benchmark_on_swarm(const SwarmOptions& options, const BenchmarkOptions& measured,
                             const std::function<void(const std::string&)>& say) {
  check_security(options);
  const Swarm swarm(docker_of_environment(), options.interruption);
  const std::vector<SwarmNode> nodes = nodes_that_take_tasks(swarm, say);
  Stack stack(swarm, options, record_of(options, "-benchmark"));
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
  stack.start_workers(workers);

  const TemporaryDirectory scratch;
  write_file(scratch.path() / "devices.toml", devices_file(nodes));
  stack.fill_volume({options.directory / "model.json", options.directory / "weights.safetensors",
                     scratch.path() / "devices.toml"});
  SwarmService measuring;
  measuring.arguments = benchmark_arguments(measured, options.startup);
  measuring.ends = true;
  const SwarmService& started = stack.start_head(std::move(measuring));
  while (!swarm.has_ended(started)) {
    stack.expect_running();
    swarm.interruption_point();
    std::this_thread::sleep_for(kPoll);
  }
  stack.fetch("benchmark.json", scratch.path());
  const Benchmark benchmark = load_benchmark(scratch.path());
  stack.remove();
  save_benchmark(options.directory, benchmark);
  return benchmark;
}

ContainerRecord deploy_on_swarm(const SwarmOptions& options, const SwarmServeOptions& served) {
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
  if (source->id != swarm.own_node()) {
    fail(ErrorCode::unsupported,
         "the plan's source is node '{}', but this Docker is another: the model reaches the head by it, so "
         "make '{}' a manager and "
         "deploy there, or configure with this node as SOURCE",
         source->name, source->name);
  }
  ContainerRecord record = record_of(options, "");
  record.port = served.port;
  Stack stack(swarm, options, record);
  stack.start_network();
  std::vector<std::filesystem::path> files = {options.directory / "model.json",
                                              options.directory / "weights.safetensors",
                                              options.directory / "plan.json"};
  // By which the head plans for those that are left when a node dies.
  if (const auto figures = options.directory / "benchmark.json"; std::filesystem::exists(figures))
    files.push_back(figures);
  stack.fill_volume(files);
  stack.start_workers(workers);

  SwarmService head;
  head.published_port = served.port;
  head.environment = served.environment;
  head.restarts = true;
  head.arguments = {"deploy",        kImageStore,
                    "--host",        "0.0.0.0",
                    "--port",        std::to_string(kHttpPort),
                    "--head-listen", fmt::format("{}:{}", kHeadHost, kAnswerPort)};
  if (options.tls.enabled()) head.arguments.insert(head.arguments.end(), {"--tls", "--auth-certificates"});
  stack.start_head(std::move(head));
  const Deadline deadline(options.startup);
  while (!is_serving(source->address, served.port, options.tls.enabled(), kProbe)) {
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
  return record;
}

}  // namespace lamina
