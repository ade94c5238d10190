#include "serve/status_json.h"

#include "base/error.h"

#include <algorithm>
#include <chrono>
#include <map>
#include <string>
#include <vector>

namespace lamina {

namespace {

constexpr double kLastTime = 253'402'300'799;  // the end of the year 9999, in seconds since 1970

Json ends_json(const std::vector<Signature::End>& ends) {
  Json list = Json::array();
  for (const Signature::End& end : ends) {
    Json shape = Json::array();
    for (const std::int64_t size : end.type.shape) {
      if (size == kBatch) {
        shape.push_back(nullptr);
      } else if (size < 0) {
        shape.push_back(std::to_string(-size) + "*batch");
      } else {
        shape.push_back(size);
      }
    }
    list.push_back({{"name", end.name}, {"dtype", to_string(end.type.dtype)}, {"shape", shape}});
  }
  return list;
}

// Addresses are host:port of a gRPC server; PAPDL's are URLs.
Json url(const std::string& address) {
  if (address.empty()) return nullptr;
  return address.find("://") == std::string::npos ? "grpc://" + address : address;
}

Json service(bool good, const std::string& response) {
  return {{"status", good ? 200 : 503}, {"response", response}};
}

}  // namespace

bool is_ready(const PipelineStatus& status) {
  return !status.stages.empty() && std::ranges::all_of(status.stages, &StageStatus::ready);
}

bool is_connected(const PipelineStatus& status) {
  return !status.stages.empty() && std::ranges::all_of(status.stages, &StageStatus::connected);
}

Json to_json(const Recovery& recovery) {
  const std::chrono::duration<double> when = recovery.when.time_since_epoch();
  return {{"time", when.count()},
          {"reason", recovery.reason},
          {"lost", recovery.lost},
          {"seconds", recovery.seconds},
          {"requests_resent", recovery.requests_resent}};
}

Recovery recovery_from_json(const Json& json, const std::string& where) {
  Recovery recovery;
  const double when = json_magnitude(json, "time", where);
  if (when > kLastTime) fail(ErrorCode::corrupt, "{}: a recovery at {} s", where, when);
  recovery.when +=
      std::chrono::duration_cast<std::chrono::system_clock::duration>(std::chrono::duration<double>(when));
  recovery.reason = json_string(json, "reason", where);
  recovery.lost = json_strings(json, "lost", where);
  recovery.seconds = json_magnitude(json, "seconds", where);
  recovery.requests_resent = json_size(json, "requests_resent", where);
  return recovery;
}

Json to_json(const RecoveryStatus& recovery) {
  Json last = Json::array();
  for (const Recovery& one : recovery.last) last.push_back(to_json(one));
  return {{"state", recovery.state},
          {"recoveries", recovery.recoveries},
          {"last_seconds", recovery.last_seconds},
          {"seconds", recovery.seconds},
          {"replans", recovery.replans},
          {"requests_resent", recovery.requests_resent},
          {"lost", recovery.lost},
          {"slow", recovery.slow},
          {"last", last}};
}

Json to_json(const PipelineStatus& status) {
  Json stages = Json::array();
  const std::vector<std::string> services = service_names(status);
  for (std::size_t i = 0; i < status.stages.size(); ++i) {
    const StageStatus& stage = status.stages[i];
    stages.push_back({{"name", stage.name},
                      {"service", services[i]},
                      {"worker", stage.worker},
                      {"address", stage.address},
                      {"memory_bytes", stage.memory},
                      {"predicted_seconds", stage.predicted_seconds},
                      {"measured_seconds", stage.measured_seconds},
                      {"connected", stage.connected},
                      {"ready", stage.ready},
                      {"forward_address", stage.forward_address},
                      {"error", stage.error}});
  }
  Json json = {{"model", status.model},
               {"ready", is_ready(status)},
               {"stages", stages},
               {"predicted_latency_seconds", status.predicted_latency},
               {"requests",
                {{"in_flight", status.requests_in_flight},
                 {"answered", status.requests_answered},
                 {"failed", status.requests_failed}}}};
  if (status.recovery) json["recovery"] = to_json(*status.recovery);
  return json;
}

Json to_json(const Signature& signature) {
  return {{"inputs", ends_json(signature.inputs)}, {"outputs", ends_json(signature.outputs)}};
}

std::vector<std::string> service_names(const PipelineStatus& status) {
  std::vector<std::string> names;
  std::map<std::string, int> seen;
  for (const StageStatus& stage : status.stages) {
    const int count = ++seen[stage.worker];
    names.push_back(count == 1 ? stage.worker : stage.worker + "#" + std::to_string(count));
  }
  return names;
}

Json activation_json(const PipelineStatus& status) {
  Json services = Json::object();
  const std::vector<std::string> names = service_names(status);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const StageStatus& stage = status.stages[i];
    std::string response = stage.name + " is ready";
    if (!stage.ready) response = stage.error.empty() ? stage.name + " is not ready" : stage.error;
    services[names[i]] = service(stage.ready, response);
  }
  return services;
}

Json worker_health_json(const PipelineStatus& status) {
  Json services = Json::object();
  const std::vector<std::string> names = service_names(status);
  for (std::size_t i = 0; i < names.size(); ++i) {
    const StageStatus& stage = status.stages[i];
    const Json response = {{"forward_url", url(stage.forward_address)},
                           {"connected", stage.connected},
                           {"model_name", stage.name}};
    const std::string text = response.dump(-1, ' ', false, Json::error_handler_t::replace);
    services[names[i]] = service(stage.ready, stage.error.empty() ? text : stage.error);
  }
  return services;
}

Json health_json(const PipelineStatus& status) {
  const std::string first = status.stages.empty() ? "" : status.stages.front().address;
  Json json = {{"forward_url", url(first)}, {"connected", is_connected(status)}};
  if (status.recovery) json["recovery"] = to_json(*status.recovery);
  return json;
}

}  // namespace lamina
