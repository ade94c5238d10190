// The orchestrator: sends requests into the pipeline, gathers answers, watches the workers.
#pragma once

#include "cluster/orchestrator.h"
#include "cluster/routes.h"
#include "cluster/security.h"
#include "graph/graph.h"
#include "graph/wire_format.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

// A worker that is to run a stage.
struct HeadReplica {
  std::string worker;   // name of the machine
  std::string address;  // host:port of its worker
  double share = 1;     // of the requests; those of a stage add up to 1
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

struct HeadOptions {
  std::string model = "";
  std::string listen =
      "127.0.0.1:0";  // where the last worker delivers answers; it must be reachable for every worker
  double predicted_latency = 0;
  std::vector<TensorSource> sources = {};    // of the answers; none: all that the last stage has
  WireFormat return_wire = WireFormat::f32;  // of the answers, from the last stage to the head
  std::string precision = "f32";
  std::int64_t batch = 1;          // the batch size expected most
  std::size_t max_in_flight = 64;  // requests beyond are refused
  std::size_t stage_queue = 16;    // frames that wait before a stage
  std::chrono::milliseconds heartbeat{1000};
  int missed_heartbeats = 3;  // until a worker counts as lost
  TlsFiles tls = {};
  std::uint64_t max_frame_bytes = std::uint64_t{2} << 30U;
};

class Head : public Orchestrator {
 public:
  // `signature` is that of the whole model. A stage runs when all its tensors of a request have come. Nothing
  // is loaded yet: activate() and connect() do that. Throws as find_routes() does.
  Head(Signature signature, std::vector<HeadStage> stages, HeadOptions options);
  ~Head() override;
  Head(const Head&) = delete;
  Head& operator=(const Head&) = delete;

  // Loads every stage, connects them, and starts to watch. Throws the first Error met, naming worker and
  // stage.
  void start();
  // Takes the stages from the workers again, as far as they answer; nothing can be predicted any more.
  void unload();

  const Signature& signature() const override;
  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override;
  void cancel(std::uint64_t request) override;
  PipelineStatus connect() override;
  PipelineStatus activate() override;
  PipelineStatus status() const override;
  PipelineStatus check() override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
