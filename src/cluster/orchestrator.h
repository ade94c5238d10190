// What a front end may ask of a running pipeline. The head implements it; tests of front ends fake it.
#pragma once

#include "base/clock.h"
#include "base/error.h"
#include "cluster/batch_sizes.h"
#include "engine/engine.h"
#include "graph/tensor.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// The answer to one request: outputs in the order of the signature, or an error.
struct Prediction {
  std::vector<Tensor> outputs;
  std::optional<Error> error;
};

// One stage as people see it.
struct StageStatus {
  std::string name;              // its layers: "block1_conv1 … block3_pool"
  std::string worker;            // name of the machine
  std::string address;           // host:port
  std::uint64_t memory = 0;      // bytes used by its worker for it
  double predicted_seconds = 0;  // from the plan
  double measured_seconds = 0;   // median of recent runs; 0 before the first
  bool connected = false;        // its connection to the next stage stands
  bool ready = false;            // loaded and answering
  std::string forward_address;   // where its results go
  std::string error;             // why it is not ready, empty otherwise
};

// A change of plan, for a loss or for the better.
struct Recovery {
  std::chrono::system_clock::time_point when = {};  // that it was noticed
  std::string reason;
  std::vector<std::string> lost;  // machines of the plan that were gone
  double seconds = 0;             // until requests were sent again; 0 where it served all the time
  std::uint64_t requests_resent = 0;
};

constexpr std::size_t kMostRecoveries = 16;

// What happened to the machines of a pipeline that recovers.
struct RecoveryStatus {
  std::uint64_t recoveries = 0;  // times that it served again after a loss
  double last_seconds = 0;       // from the last loss until requests were sent again
  double seconds = 0;            // of all recoveries together
  std::uint64_t replans = 0;     // changes of plan while it served, as for a machine that came back
  std::uint64_t requests_resent = 0;
  std::vector<std::string> lost;       // machines that are gone now
  std::map<std::string, double> slow;  // machines that are slow, and how many times longer they take
  std::string state;                   // "serving", "recovering" or why no plan fits
  std::vector<Recovery> last;          // the oldest first, at most kMostRecoveries
};

struct PipelineStatus {
  std::string model;
  std::vector<StageStatus> stages;
  double predicted_latency = 0;  // seconds
  std::uint64_t requests_in_flight = 0;
  std::uint64_t requests_answered = 0;
  std::uint64_t requests_failed = 0;
  std::optional<BatchSizes> batch_sizes = std::nullopt;   // nothing where requests are not joined
  std::optional<RecoveryStatus> recovery = std::nullopt;  // nothing where losses are not recovered from
};

class Orchestrator {
 public:
  using Callback = std::function<void(Prediction)>;

  virtual ~Orchestrator() = default;

  // All members are thread-safe.
  virtual const Signature& signature() const = 0;

  // Checks the inputs, sends them through the stages and calls `done` exactly once, from another thread, by
  // the deadline. Throws nothing: errors come through `done`. A full queue is Error(resource_exhausted).
  // Returns a number for cancel().
  virtual std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) = 0;

  // Gives up a request whose client went away; its callback gets Error(cancelled) unless it had an answer
  // before.
  virtual void cancel(std::uint64_t request) = 0;

  // Connects each stage to the next / loads each stage and runs it once. Idempotent; deploying does both.
  // The status tells which stages failed.
  virtual PipelineStatus connect() = 0;
  virtual PipelineStatus activate() = 0;

  // The last known state, at once.
  virtual PipelineStatus status() const = 0;
  // Asks every stage now.
  virtual PipelineStatus check() = 0;
};

}  // namespace lamina
