// A replica of a stage as the head knows it.
#pragma once

#include "cluster/head_plan.h"
#include "cluster/orchestrator.h"
#include "cluster/worker_client.h"
#include "engine/engine.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

struct Place {
  std::size_t stage = 0;
  HeadReplica plan = {};
  std::unique_ptr<WorkerClient> client = {};
  std::string loaded = {};  // name of the stage on its worker; empty before
  LoadCost cost = {};
  bool connected = false;
  bool ready = false;
  int missed = 0;  // heartbeats without an answer
  std::string error = {};
  std::string forward_address = {};
  std::deque<double> recent = {};  // seconds of the last runs
};

// A place's slot is its position in the list, counted from 1.
constexpr std::uint32_t slot_of(std::size_t place) { return static_cast<std::uint32_t>(place + 1); }

// One for each replica, in the order of the stages. Error(invalid_argument) for a stage without any.
std::vector<Place> make_places(const std::vector<HeadStage>& stages, const TlsFiles& tls);

Routes find_routes(const std::vector<HeadStage>& stages, const Signature& signature,
                   const std::vector<TensorSource>& sources);

// What tells a place's worker where its results go. `head_address` is where answers do.
v1::ConnectRequest connect_request(const std::vector<Place>& places, std::size_t index,
                                   const std::vector<HeadStage>& stages, const Routes& routes,
                                   const HeadOptions& options, const std::string& head_address);
// Those addresses, separated by commas.
std::string next_addresses(const v1::ConnectRequest& request);

StageStatus status_of(const Place& place, const HeadStage& stage);
// Of one that does not run.
StageStatus status_of(const HeadReplica& replica, const HeadStage& stage);

}  // namespace lamina
