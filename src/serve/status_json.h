// The state of a pipeline as clients read it.
#pragma once

#include "base/json.h"
#include "cluster/orchestrator.h"

namespace lamina {

// Whether there is a stage and every one is ready.
bool is_ready(const PipelineStatus& status);
// Whether there is a stage and every one is connected to the next.
bool is_connected(const PipelineStatus& status);

// Everything, times in seconds, memory in bytes.
Json to_json(const PipelineStatus& status);
Json to_json(const RecoveryStatus& recovery);
// "time": seconds since 1970.
Json to_json(const Recovery& recovery);
// Back again; Error(corrupt) naming `where`.
Recovery recovery_from_json(const Json& json, const std::string& where);
// {"inputs":[{"name","dtype","shape"}],"outputs":[…]}; the batch size is null, multiples of it "3*batch".
Json to_json(const Signature& signature);

// The names by which PAPDL's answers call the stages: the worker's, with "#2" and so on from a worker's
// second stage on.
std::vector<std::string> service_names(const PipelineStatus& status);

// PAPDL's {service: {"status", "response"}}, for /activate and /workerhealthcheck. The status is 200 or 503;
// the response of /workerhealthcheck is itself JSON, as text: {"forward_url","connected","model_name"}.
Json activation_json(const PipelineStatus& status);
Json worker_health_json(const PipelineStatus& status);
// PAPDL's {"forward_url","connected"} of the head: where its requests go first.
Json health_json(const PipelineStatus& status);

}  // namespace lamina
