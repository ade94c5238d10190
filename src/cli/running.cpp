#include "cli/running.h"

#include "base/duration.h"
#include "base/error.h"
#include "base/log.h"
#include "cli/answer.h"
#include "deploy/process.h"
#include "graph/rows.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include <unistd.h>

namespace lamina::cli {

namespace {

constexpr std::chrono::seconds kLossLimit{1};
constexpr std::chrono::seconds kResumeLimit{60};
constexpr double kBatchWindow = 2;  // milliseconds

RecordedProcess record_process(const std::string& role, pid_t pid) {
  return {role, pid, process_start_time(pid)};
}

}  // namespace

Running::Running(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan,
                 Fleet& fleet, const std::filesystem::path& deployment, const ServeArguments& arguments,
                 bool resumed)
    : plan_(plan), replanning_(directory, model, plan) {
  record_.id = deployment.filename().string();
  record_.model_directory = std::filesystem::absolute(directory).string();
  SupervisorOptions options;
  options.head = head_options(arguments);
  for (const DeviceInfo& device : plan.devices) {
    options.machines.push_back(device.name);
    if (!device.address.empty()) addresses_[device.name] = device.address;
  }
  options.find = [this](const std::string& machine) { return find(machine); };
  options.plan = [this](const Conditions& conditions, const std::string& serving) {
    return replanning_.plan_for(conditions, serving, supervisor_->rows_per_second());
  };
  options.stopgap = [this](const Conditions& conditions, const std::string& lost) {
    return replanning_.stopgap_for(conditions, lost, supervisor_->rows_per_second());
  };
  options.may_miss = arguments.may_miss;
  options.stragglers.factor = arguments.slow_factor;
  options.changed = [this] { save(); };
  keeper_ = std::make_unique<WorkerKeeper>(fleet.give_workers(), [this] { save(); });
  supervisor_ = std::make_unique<Supervisor>(signature_of(model.graph), options);
  const std::int64_t batch_limit = arguments.batch_limit.value_or(plan.joining ? plan.batch : 1);
  if (batch_limit > 1) {
    check_rows_apart(model.graph);
    const double window =
        arguments.batch_window.value_or(plan.joining ? plan.joining->window * 1e3 : kBatchWindow);
    BatcherOptions joining;
    joining.max_batch = batch_limit;
    joining.window = std::chrono::microseconds(static_cast<std::int64_t>(window * 1e3));
    joining.max_in_flight = arguments.max_in_flight;
    batcher_ = std::make_unique<Batcher>(*supervisor_, joining);
  }
  if (resumed) {
    supervisor_->start();
  } else {
    try {
      supervisor_->start(replanning_.first());
    } catch (const Error& error) {
      // Of a worker that dies of its stage the head sees a broken connection alone.
      const std::string lost = error.code() == ErrorCode::unavailable ? keeper_->losses(kLossLimit) : "";
      if (lost.empty()) throw;
      fail(ErrorCode::unavailable, "{}", lost);
    }
  }
  if (!supervisor_->wait_until_serving(kResumeLimit)) spdlog::warn("no plan runs yet");

  HttpOptions http = arguments.http.options(arguments.tls);
  http.address = arguments.host;
  http.port = static_cast<std::uint16_t>(arguments.port);
  http.request_timeout = to_milliseconds(arguments.timeout);
  http.class_names = load_classes(arguments.classes);
  http_ = std::make_unique<HttpServer>(pipeline(), http);
  {
    const std::lock_guard lock(record_mutex_);
    record_.port = port();
  }
  save();
}

Running::~Running() {
  http_->stop();
  supervisor_->unload();
  // Nothing is saved any more: the directory may be removed.
  keeper_.reset();
}

std::string Running::find(const std::string& machine) const {
  const auto found = addresses_.find(machine);
  return found == addresses_.end() ? keeper_->address(machine) : found->second;
}

void Running::save() {
  const std::lock_guard lock(record_mutex_);
  if (record_.port == 0) return;
  record_.processes = {record_process("head", ::getpid())};
  const std::map<std::string, pid_t> processes = keeper_->processes();
  for (const DeviceInfo& device : plan_.devices) {
    const auto found = processes.find(device.name);
    if (found != processes.end() && found->second > 0)
      record_.processes.push_back(record_process(device.name, found->second));
  }
  record_.recoveries = supervisor_->status().recovery->last;
  try {
    save_record(record_);
  } catch (const Error& error) {
    spdlog::warn("{}", error.what());
  }
}

}  // namespace lamina::cli
