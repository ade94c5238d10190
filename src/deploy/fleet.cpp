#include "deploy/fleet.h"

#include "base/clock.h"
#include "base/error.h"

#include <algorithm>
#include <thread>

namespace lamina {

namespace {
constexpr std::chrono::milliseconds kPoll{10};
}

Fleet::Fleet(const std::vector<DeviceInfo>& devices, const FleetOptions& options) : options_(options) {
  std::size_t next_cpu = 0;
  std::vector<std::string> addresses(devices.size());
  std::vector<std::size_t> local_index(devices.size());
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (!devices[i].address.empty()) {
      addresses[i] = devices[i].address;
      continue;
    }
    local_index[i] = local_.size();
    local_.emplace_back(LocalWorkerOptions{.device = devices[i],
                                           .directory = options.directory / devices[i].name,
                                           .program = options.program,
                                           .engine = options.engine,
                                           .tls = options.tls,
                                           .attached = options.attached,
                                           .first_cpu = next_cpu});
    if (devices[i].cpus == 0) next_cpu += static_cast<std::size_t>(devices[i].threads);
  }
  for (std::size_t i = 0; i < devices.size(); ++i) {
    if (addresses[i].empty()) addresses[i] = local_[local_index[i]].wait_until_ready(options.startup);
    auto client = std::make_unique<WorkerClient>(addresses[i], options.tls);
    WorkerDescription description = client->describe(options.startup);
    description.device.name = devices[i].name;
    // A local worker is started anew each time; the address it happens to have is not a fact about the
    // device.
    description.device.address = devices[i].address;
    description.device.cpus = devices[i].cpus;
    members_.push_back({description.device, description.engine, std::move(client)});
  }
}

const FleetMember& Fleet::member(const std::string& name) const {
  for (const FleetMember& member : members_) {
    if (member.device.name == name) return member;
  }
  fail(ErrorCode::not_found, "there is no device '{}'", name);
}

std::string Fleet::restart(const std::string& name) {
  const auto worker = std::find_if(local_.begin(), local_.end(),
                                   [&](const LocalWorker& local) { return local.name() == name; });
  const auto member = std::find_if(members_.begin(), members_.end(),
                                   [&](const FleetMember& known) { return known.device.name == name; });
  if (worker == local_.end() || member == members_.end()) {
    fail(ErrorCode::unavailable, "the worker '{}' no longer answers", name);
  }
  std::string how = worker->restart();
  auto client = std::make_unique<WorkerClient>(worker->wait_until_ready(options_.startup), options_.tls);
  client->describe(options_.startup);
  member->client = std::move(client);
  return how;
}

void Fleet::restart_ended() {
  for (const LocalWorker& worker : local_) {
    if (worker.end()) restart(worker.name());
  }
}

std::string Fleet::losses(std::chrono::milliseconds limit) const {
  const Deadline deadline(limit);
  while (true) {
    std::string lost;
    for (const LocalWorker& worker : local_) {
      const std::optional<std::string> how = worker.end();
      if (how) lost += fmt::format("{}worker '{}' {}", lost.empty() ? "" : "; ", worker.name(), *how);
    }
    if (!lost.empty() || deadline.passed()) return lost;
    std::this_thread::sleep_for(kPoll);
  }
}

void Fleet::release() {
  for (LocalWorker& worker : local_) worker.release();
}

}  // namespace lamina
