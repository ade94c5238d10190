// The calls to a worker, for whoever measures, loads or connects it.
#pragma once

#include "cluster/link_measure.h"
#include "cluster/security.h"
#include "graph/graph.h"
#include "profile/benchmark.h"
#include "profile/measure.h"
#include "profile/wire_measure.h"
#include "worker.grpc.pb.h"

#include <chrono>
#include <cstdint>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <grpcpp/client_context.h>

namespace lamina {

struct WorkerDescription {
  DeviceInfo device;
  std::string engine;            // name and version
  double processor_seconds = 0;  // that its process has used so far
};

struct LoadOptions {
  std::string precision = "f32";
  std::int64_t batch = 1;
  int concurrency = 1;
};

// What a stage took: memory, bytes, and the seconds in which the engine made it ready, weights sent before.
struct LoadCost {
  std::uint64_t weights = 0;
  std::uint64_t activations = 0;
  double seconds = 0;
};

// The name that a stage is loaded under.
std::string stage_name(const Graph& graph, const std::vector<std::string>& hashes);

// Every call throws an Error that names the worker: unavailable or deadline_exceeded when it does not answer,
// else what it said. Thread-safe.
class WorkerClient {
 public:
  WorkerClient(std::string address, const TlsFiles& tls);

  const std::string& address() const { return address_; }
  bool is_connecting() const { return channel_->GetState(false) == GRPC_CHANNEL_CONNECTING; }

  // Waits for the worker to come up, at most `limit`.
  WorkerDescription describe(std::chrono::milliseconds limit);
  // The same of a worker that should be up: one that nobody listens for is told at once.
  WorkerDescription look(std::chrono::milliseconds limit);

  // Sends the weights that the worker lacks and the graph, and has it compiled. `hashes` are the content
  // hashes of graph.weights(). Returns the name of the stage.
  std::string load(const Graph& graph, const std::vector<std::string>& hashes, const LoadOptions& options,
                   LoadCost* cost = nullptr);
  void unload(const std::string& stage);
  PieceTime measure(const std::string& stage, std::int64_t batch, const MeasureOptions& options);
  // See measure_link() of cluster/link_measure.h; from this worker to the one at `to`.
  LinkTimes measure_link(const std::string& to, int pings, double seconds, std::chrono::microseconds pause);
  // With `bytes` of float32 values such as a ReLU leaves, at most 1 GiB.
  WireTime measure_wire(WireFormat format, std::uint64_t bytes);

  void connect(const v1::ConnectRequest& request);
  // Ends places of all other pipelines and takes all other stages from the worker.
  void keep(const std::vector<std::uint64_t>& pipelines, const std::vector<std::string>& stages,
            std::chrono::milliseconds limit);
  void cancel(std::uint64_t pipeline, std::uint64_t request);
  v1::CheckReply check(std::uint64_t pipeline, std::uint32_t slot, std::chrono::milliseconds limit);

  // Calls under way and to come fail with Error(cancelled).
  void abandon();

 private:
  // A call that abandon() reaches, from construction to destruction.
  class Call {
   public:
    template <typename Duration>
    Call(WorkerClient& client, Duration limit) : client_(client) {
      context_.set_deadline(std::chrono::system_clock::now() + limit);
      client_.begin(context_);
    }
    ~Call() { client_.end(context_); }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    grpc::ClientContext* context() { return &context_; }

   private:
    WorkerClient& client_;
    grpc::ClientContext context_;
  };
  WorkerDescription ask(std::chrono::milliseconds limit, bool wait);
  void begin(grpc::ClientContext& context);
  void end(grpc::ClientContext& context);

  void send_missing_blobs(const Graph& graph, const std::vector<std::string>& hashes);
  void send_and_load(const Graph& graph, const std::vector<std::string>& hashes,
                     const v1::LoadRequest& request, v1::LoadReply* reply);
  std::string peer() const { return "the worker at '" + address_ + "'"; }

  std::string address_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Worker::Stub> stub_;
  std::mutex mutex_;
  std::set<grpc::ClientContext*> under_way_;  // guarded by mutex_
  bool abandoned_ = false;                    // guarded by mutex_
};

}  // namespace lamina
