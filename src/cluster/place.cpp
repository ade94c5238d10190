#include "cluster/place.h"

#include "base/error.h"
#include "profile/statistics.h"

namespace lamina {

std::vector<Place> make_places(const std::vector<HeadStage>& stages, const TlsFiles& tls) {
  if (stages.empty()) fail(ErrorCode::invalid_argument, "a pipeline without stages");
  std::vector<Place> places;
  for (std::size_t stage = 0; stage < stages.size(); ++stage) {
    if (stages[stage].replicas.empty())
      fail(ErrorCode::invalid_argument, "stage '{}' has no worker", stages[stage].name);
    for (const HeadReplica& replica : stages[stage].replicas) {
      Place& place = places.emplace_back();
      place.stage = stage;
      place.plan = replica;
      place.client = std::make_unique<WorkerClient>(replica.address, tls);
    }
  }
  return places;
}

Routes find_routes(const std::vector<HeadStage>& stages, const Signature& signature,
                   const std::vector<TensorSource>& sources) {
  std::vector<RoutedStage> routed;
  for (const HeadStage& stage : stages) {
    routed.push_back({stage.name, stage.graph.inputs().size(), stage.graph.outputs().size(),
                      stage.replicas.size(), stage.sources});
  }
  return find_routes(routed, signature.inputs.size(), signature.outputs.size(), sources);
}

v1::ConnectRequest connect_request(const std::vector<Place>& places, std::size_t index,
                                   const std::vector<HeadStage>& stages, const Routes& routes,
                                   const HeadOptions& options, const std::string& head_address) {
  const Place& place = places[index];
  v1::ConnectRequest request;
  request.set_slot(slot_of(index));
  request.set_stage(place.loaded);
  const auto add_place = [](v1::Consumer& consumer, const std::string& address, std::uint32_t slot,
                            double share) {
    v1::NextPlace& next = *consumer.add_places();
    next.set_address(address);
    next.set_slot(slot);
    next.set_share(share);
  };
  for (const Route& route : routes.of_stage[place.stage]) {
    v1::Consumer& consumer = *request.add_consumers();
    const bool to_head = route.to == stages.size();
    consumer.set_part(static_cast<std::uint32_t>(route.part));
    consumer.set_wire(std::string(to_string(to_head ? options.return_wire : stages[route.to].wire)));
    for (const std::size_t output : route.outputs) consumer.add_outputs(static_cast<std::uint32_t>(output));
    if (to_head) add_place(consumer, head_address, 0, 1);
    for (std::size_t i = 0; i < places.size(); ++i) {
      if (places[i].stage == route.to)
        add_place(consumer, places[i].plan.address, slot_of(i), places[i].plan.share);
    }
  }
  const Parts& parts = routes.parts[place.stage];
  for (std::size_t part = 0; parts.size() > 1 && part < parts.size(); ++part) {
    v1::Part& wanted = *request.add_parts();
    for (const std::size_t input : parts[part]) wanted.add_inputs(static_cast<std::uint32_t>(input));
  }
  request.set_head_address(head_address);
  request.set_queue(static_cast<std::uint32_t>(options.stage_queue));
  request.set_silence_milliseconds(static_cast<std::uint32_t>(silence_of(options.heartbeat).count()));
  request.set_answer_milliseconds(static_cast<std::uint32_t>(options.answer_limit.count()));
  return request;
}

std::string next_addresses(const v1::ConnectRequest& request) {
  std::string addresses;
  for (const v1::Consumer& consumer : request.consumers()) {
    for (const v1::NextPlace& next : consumer.places())
      addresses += (addresses.empty() ? "" : ",") + next.address();
  }
  return addresses;
}

StageStatus status_of(const HeadReplica& replica, const HeadStage& stage) {
  StageStatus seen;
  seen.name = stage.name;
  seen.worker = replica.worker;
  seen.address = replica.address;
  seen.predicted_seconds = stage.predicted_seconds;
  return seen;
}

StageStatus status_of(const Place& place, const HeadStage& stage) {
  StageStatus seen = status_of(place.plan, stage);
  seen.memory = place.cost.weights + place.cost.activations;
  if (!place.recent.empty()) seen.measured_seconds = median({place.recent.begin(), place.recent.end()});
  seen.connected = place.connected;
  seen.ready = place.ready;
  seen.forward_address = place.forward_address;
  seen.error = place.error;
  return seen;
}

}  // namespace lamina
