#include "cli/running.h"

#include "base/error.h"
#include "cli/answer.h"
#include "deploy/pipeline.h"
#include "deploy/process.h"
#include "graph/rows.h"

#include <chrono>

#include <unistd.h>

namespace lamina::cli {

namespace {

constexpr std::chrono::seconds kLossLimit{1};
constexpr double kBatchWindow = 2;  // milliseconds

RecordedProcess record_process(const std::string& role, pid_t pid) {
  return {role, pid, process_start_time(pid)};
}

}  // namespace

Running::Running(const std::filesystem::path& directory, const SlicedModel& model, const Plan& plan,
                 const Fleet& fleet, const std::filesystem::path& deployment,
                 const ServeArguments& arguments) {
  head_ = make_head(model, hash_of_model(directory), plan, fleet, head_options(arguments));
  const std::int64_t batch_limit = arguments.batch_limit.value_or(plan.joining ? plan.batch : 1);
  if (batch_limit > 1) {
    check_rows_apart(model.graph);
    const double window =
        arguments.batch_window.value_or(plan.joining ? plan.joining->window * 1e3 : kBatchWindow);
    BatcherOptions joining;
    joining.max_batch = batch_limit;
    joining.window = std::chrono::microseconds(static_cast<std::int64_t>(window * 1e3));
    joining.max_in_flight = arguments.max_in_flight;
    batcher_ = std::make_unique<Batcher>(*head_, joining);
  }
  try {
    head_->start();
  } catch (const Error& error) {
    // Of a worker that dies of its stage the head sees a broken connection alone.
    const std::string lost = error.code() == ErrorCode::unavailable ? fleet.losses(kLossLimit) : "";
    if (lost.empty()) throw;
    fail(ErrorCode::unavailable, "{}", lost);
  }

  HttpOptions http = arguments.http.options(arguments.tls);
  http.address = arguments.host;
  http.port = static_cast<std::uint16_t>(arguments.port);
  http.request_timeout = std::chrono::milliseconds(static_cast<std::int64_t>(arguments.timeout * 1e3));
  http.class_names = load_classes(arguments.classes);
  http_ = std::make_unique<HttpServer>(pipeline(), http);

  record_.id = deployment.filename().string();
  record_.model_directory = std::filesystem::absolute(directory).string();
  record_.port = port();
  record_.processes.push_back(record_process("head", ::getpid()));
  for (const LocalWorker& worker : fleet.local_workers()) {
    record_.processes.push_back(record_process(worker.name(), worker.pid()));
  }
  save_record(record_);
}

Running::~Running() {
  http_->stop();
  head_->unload();
}

}  // namespace lamina::cli
