// What a head is to run: stages, the workers that run them, and how.
#pragma once

#include "cluster/routes.h"
#include "cluster/security.h"
#include "graph/graph.h"
#include "graph/wire_format.h"
#include "plan/cost_model.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lamina {

// A worker that is to run a stage.
struct HeadReplica {
  std::string worker;   // name of the machine
  std::string address;  // host:port of its worker
  double share = 1;     // of the requests; those of a stage add up to 1
  // That it is to take for a request of as many rows as planned, on a machine as it was measured; 0: not
  // known.
  double expected_seconds = 0;
};

// A stage of the plan and the workers that are to run it.
struct HeadStage {
  std::string name;  // its layers
  std::vector<HeadReplica> replicas;
  Graph graph;
  std::vector<std::string> hashes;  // content hashes of graph.weights()
  double predicted_seconds = 0;
  WireFormat wire = WireFormat::f32;  // of the tensors that come into this stage
  // Of graph.inputs(); none: all that the stage before it has, of the first stage all that the request has.
  std::vector<TensorSource> sources = {};
};

// How often workers are asked whether they are there, and how often in a row they may not answer.
struct Heartbeat {
  std::chrono::milliseconds interval{500};
  int missed = 3;  // until a worker counts as lost
};

// How long a worker may be silent.
inline std::chrono::milliseconds silence_of(const Heartbeat& heartbeat) {
  return heartbeat.interval * heartbeat.missed;
}

struct HeadOptions {
  std::string model = {};
  std::string listen =
      "127.0.0.1:0";  // where the last worker delivers answers; it must be reachable for every worker
  double predicted_latency = 0;
  std::vector<TensorSource> sources = {};    // of the answers; none: all that the last stage has
  WireFormat return_wire = WireFormat::f32;  // of the answers, from the last stage to the head
  std::string precision = "f32";
  std::int64_t batch = 1;                      // the batch size expected most
  std::size_t max_in_flight = 64;              // requests beyond are refused
  std::size_t stage_queue = kWaitingRequests;  // that wait before a stage
  Heartbeat heartbeat = {};
  // In which each end of a new connection answers; 0: as long as it may take until the way to a new container
  // is known.
  std::chrono::milliseconds answer_limit{0};
  TlsFiles tls = {};
  std::uint64_t max_frame_bytes = std::uint64_t{2} << 30U;
};

// What `pipeline` says of the plan, and `head` of how to listen, load and watch.
inline HeadOptions combine(HeadOptions head, const HeadOptions& pipeline) {
  head.model = pipeline.model;
  head.predicted_latency = pipeline.predicted_latency;
  head.sources = pipeline.sources;
  head.return_wire = pipeline.return_wire;
  head.batch = pipeline.batch;
  return head;
}

}  // namespace lamina
