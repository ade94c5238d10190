#include "deploy/swarm_stack.h"

#include "base/error.h"
#include "deploy/compose_file.h"
#include "deploy/image.h"
#include "deploy/registry_access.h"
#include "deploy/registry_image.h"
#include "deploy/swarm_removal.h"

#include <algorithm>
#include <thread>

namespace lamina {

namespace {

constexpr std::chrono::minutes kTransfer{30};
constexpr std::chrono::milliseconds kPoll{200};
constexpr const char* kRegistryImage = "lamina-registry:1";
constexpr const char* kRegistryUser = "lamina";

bool says(const Error& error, const char* words) {
  return std::string_view(error.what()).find(words) != std::string_view::npos;
}

std::string in_volume(const std::string& container, const std::string& file) {
  return fmt::format("{}:{}/{}", container, kImageStore, file);
}

// Those of a head or a worker.
std::vector<std::string> certificate_names(const std::string& role) {
  return {"authority.pem", role + ".pem", role + ".key"};
}

}  // namespace

SwarmStack::SwarmStack(const Swarm& swarm, const SwarmOptions& options, ContainerRecord record)
    : swarm_(swarm),
      options_(options),
      record_(std::move(record)),
      image_(swarm.resolve_image(options.image)) {
  expect_free_name(swarm_.docker(), record_.name);
  save_record(record_);
  exists_ = true;
}

SwarmStack::~SwarmStack() {
  if (!exists_) return;
  try {
    remove();
  } catch (const Error&) {
    // The record stays, so that `lamina clean` can finish it.
  }
}

void SwarmStack::remove() {
  exists_ = false;
  remove_deployment(record_);
}

void SwarmStack::start_network() {
  if (options_.tls.enabled()) {
    for (const char* file : {"authority.pem", "head.pem", "head.key", "worker.pem", "worker.key"})
      create_secret(file, options_.tls.authority.parent_path() / file);
  }
  swarm_.create_network(network(), record_.name, options_.encrypted);
  if (options_.registry_port > 0) start_registry();
}

void SwarmStack::start_workers(const std::vector<std::pair<SwarmNode, DeviceInfo>>& workers,
                               const std::vector<NamedFile>& files) {
  for (const auto& [node, device] : workers) {
    SwarmService service;
    service.name = fmt::format("{}_{}", record_.name, service_name(node.name));
    service.node = node.id;
    service.alias = node.name;
    service.cpus = device.cpus;
    service.memory = device.memory;
    service.restarts = true;
    service.global = true;
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
    start(std::move(service), "worker");
  }
  fill_volume(files);
  wait();
}

std::string SwarmStack::start_keeper() {
  SwarmService keeper;
  keeper.name = fmt::format("{}_{}", record_.name, kKeeperName);
  keeper.node = swarm_.own_node();
  keeper.alias = kKeeperHost;
  keeper.volume = volume();
  keeper.restarts = true;
  keeper.arguments = {"keep", kImageStore, "--listen", fmt::format("0.0.0.0:{}", kKeeperPort)};
  start(std::move(keeper), "head");
  return fmt::format("{}:{}", kKeeperHost, kKeeperPort);
}

const SwarmService& SwarmStack::start_head(SwarmService head, const std::string& node,
                                           const std::vector<NamedFile>& secrets) {
  head.name = fmt::format("{}_{}", record_.name, kHeadName);
  head.node = node;
  head.alias = kHeadHost;
  if (node == swarm_.own_node()) head.volume = volume();
  for (const auto& [file, name] : secrets) {
    create_secret(name, file);
    head.secrets.emplace_back(secret(name), name);
  }
  start(std::move(head), "head");
  wait();
  return services_.back();
}

void SwarmStack::create_secret(const std::string& name, const std::filesystem::path& file) const {
  swarm_.create_secret(secret(name), file, record_.name);
}

void SwarmStack::start_registry() {
  const std::vector<SwarmNode> nodes = swarm_.nodes();
  const auto own = std::find_if(nodes.begin(), nodes.end(),
                                [&](const SwarmNode& node) { return node.id == swarm_.own_node(); });
  if (own == nodes.end()) fail(ErrorCode::unavailable, "this Docker's node has left the Swarm");
  registry_ = fmt::format("{}:{}", own->address, options_.registry_port);
  const std::filesystem::path certificates = options_.tls.authority.parent_path();
  if (!options_.tls.enabled() || !std::filesystem::exists(certificates / kRegistryCertificate)) {
    fail(ErrorCode::not_found,
         "--with-registry needs --certificates DIR with a certificate for the registry: 'lamina cert DIR "
         "--server registry --host {}'",
         own->address);
  }
  const std::filesystem::path program = find_registry_program();
  const TemporaryDirectory scratch;
  const WrittenImage image =
      write_image(scratch.path() / "image.tar", describe_registry_image(program, kRegistryImage, "1"));
  if (swarm_.docker().image_id(kRegistryImage) != image.id) {
    record_.loaded_images.emplace_back(kRegistryImage);
    save_record(record_);
    swarm_.docker().load(scratch.path() / "image.tar");
  }
  const std::string password = random_password();
  write_file(scratch.path() / kRegistryPasswords, htpasswd_line(kRegistryUser, password));
  create_secret(kRegistryPasswords, scratch.path() / kRegistryPasswords);

  SwarmService service;
  service.name = fmt::format("{}_{}", record_.name, kRegistryName);
  service.node = own->id;
  service.alias = kRegistryHost;
  service.volume = service.name;
  service.port = kRegistryPort;
  service.published_port = options_.registry_port;
  service.restarts = true;
  service.secrets = {{secret(kRegistryPasswords), kRegistryPasswords}};
  for (const char* file : {kRegistryCertificate, kRegistryKey}) {
    create_secret(file, certificates / file);
    service.secrets.emplace_back(secret(file), file);
  }
  swarm_.docker().run({"volume", "create", "--label", label_of(record_.name), service.volume});
  swarm_.create_service(service, network(), image.id, record_.name);
  services_.push_back(std::move(service));
  wait();
  swarm_.use(log_in(swarm_.docker(), configuration_.path(), registry_, kRegistryUser, password));
  push_image();
}

// The registry listens a moment after its task runs.
void SwarmStack::push_image() {
  const Deadline deadline(options_.startup);
  while (true) {
    try {
      image_ = swarm_.docker().push(options_.image, registry_).content;
      break;
    } catch (const Error& error) {
      if (says(error, "certificate")) fail(ErrorCode::unavailable, "{}; {}", error.what(), trust_advice());
      if (!says(error, "connection refused") || deadline.passed()) throw;
    }
    swarm_.interruption_point();
    std::this_thread::sleep_for(kPoll);
  }
  record_.loaded_images.push_back(image_);
  save_record(record_);
}

std::string SwarmStack::trust_advice() const {
  return fmt::format("every node must have '{}' as /etc/docker/certs.d/{}/ca.crt",
                     options_.tls.authority.string(), registry_);
}

void SwarmStack::fill_volume(const std::vector<NamedFile>& files) const {
  swarm_.docker().run({"volume", "create", "--label", label_of(record_.name), volume()});
  const std::string container = create_container();
  for (const auto& [file, name] : files) {
    swarm_.interruption_point();
    swarm_.docker().run({"cp", "--follow-link", file.string(), in_volume(container, name)}, kTransfer);
  }
  swarm_.docker().run({"container", "rm", "--force", container});
}

void SwarmStack::fetch(const std::string& file, const std::filesystem::path& directory) const {
  const std::string container = create_container();
  swarm_.docker().run({"cp", in_volume(container, file), directory.string()}, kTransfer);
  swarm_.docker().run({"container", "rm", "--force", container});
}

void SwarmStack::expect_running() const {
  explain([&] { swarm_.expect_running(services_, options_.image); });
}

// Never started: a way into the volume.
std::string SwarmStack::create_container() const {
  return lines_of(swarm_.docker().run({"container", "create", "--label", label_of(record_.name), "--volume",
                                       volume() + ":" + kImageStore, image_, "--version"}))
      .at(0);
}

void SwarmStack::start(SwarmService service, const std::string& role) {
  if (options_.tls.enabled()) {
    service.arguments.insert(service.arguments.end(), {"--certificates", kSecrets});
    for (const std::string& file : certificate_names(role)) service.secrets.emplace_back(secret(file), file);
  } else {
    service.arguments.emplace_back("--insecure");
  }
  swarm_.create_service(service, network(), image_, record_.name);
  services_.push_back(std::move(service));
}

void SwarmStack::wait() const {
  explain([&] { swarm_.wait_until_running(services_, options_.image, options_.startup); });
}

// Where a kernel lacks IPsec, tasks wait for their network, or run in one that carries nothing.
template <typename Action>
void SwarmStack::explain(const Action& action) const {
  try {
    action();
  } catch (const Error& error) {
    if (!registry_.empty() && error.code() == ErrorCode::not_found)
      fail(error.code(), "{}; {}", error.what(), trust_advice());
    const bool network =
        error.code() == ErrorCode::deadline_exceeded || error.code() == ErrorCode::unavailable;
    if (!options_.encrypted || !network) throw;
    fail(error.code(),
         "{}; an encrypted network needs IPsec in the kernel of every node (modules esp4 and xfrm_user)",
         error.what());
  }
}

}  // namespace lamina
