// A plan: which stage of a sliced model runs where. Kept as DIR/plan.json (docs/formats.md).
#pragma once

#include "graph/wire_format.h"
#include "plan/least_latency.h"
#include "plan/objective.h"
#include "profile/benchmark.h"

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// A device that runs a stage.
struct PlannedReplica {
  std::string device;
  double share = 1;          // of the requests
  std::uint64_t memory = 0;  // bytes
  double seconds = 0;        // that the stage takes there at most; 0: not known
};

struct PlannedStage {
  std::string name;  // its layers: "block1_conv1 … block3_pool"
  std::vector<PlannedReplica> replicas;
  std::size_t begin = 0;  // positions of cuts of the model
  std::size_t end = 0;
  double seconds = 0;                           // predicted time of the stage
  double hop_seconds = 0;                       // predicted time of the hop into it
  WireFormat wire = WireFormat::f32;            // of that hop
  std::uint64_t wire_bytes = 0;                 // that it carries
  std::optional<double> measured_seconds = {};  // of the stage as it runs, where it was rehearsed
  // Of the model's block between these cuts; none: all its layers. Stages of one block follow each other in
  // the order in which they are sent to, and run at once.
  std::vector<std::size_t> branches = {};
  double starts = 0;  // predicted seconds from the request's start to the stage's
  // Of the first stage of a block: what passes all of the block's branches by, from what is before the block
  // to what is behind it.
  std::uint64_t bypass_bytes = 0;
};

// What a plan came to when its stages ran as they will (deploy/rehearsal.h).
struct MeasuredPlan {
  double latency = 0;  // seconds of one request alone
  double period = 0;   // seconds between answers with many under way
};

// Single requests that travel as one: `batch` rows of the plan at most.
struct PlannedJoining {
  double window = 0;  // seconds that a request may wait for others while the pipeline is busy
};

// What was asked of a plan, as `lamina configure` takes it: asked again when machines change.
struct PlanDemands {
  std::string constraints = {};
  std::string deadline = {};
  std::string min_rate = {};
  std::string replicas = "1";
  std::string batch = {};
  bool branches = true;
  std::string wire = "f32";
  double wire_tolerance = 0;
  std::vector<std::string> calibration = {};  // paths of .npy files, by input of the model
};

struct Plan {
  std::string model;
  std::string model_hash;  // of the model.json it was made for
  std::string source;
  Objective objective = Objective::latency;
  PlanDemands demands = {};
  std::int64_t batch = 1;                      // rows that travel together
  std::optional<PlannedJoining> joining = {};  // nothing where a request is such a batch itself
  std::vector<DeviceInfo> devices;             // those the plan may use
  std::vector<PlannedStage> stages;
  double return_seconds = 0;
  WireFormat return_wire = WireFormat::f32;
  std::uint64_t return_wire_bytes = 0;
  // How far answers come to be for the wire formats, relative to the largest output; nothing where all
  // travels as it is.
  std::optional<double> wire_difference = {};
  double latency = 0;      // seconds, predicted
  double period = 0;       // seconds between answers at the highest rate, predicted
  double lower_bound = 0;  // of the objective's figure (seconds, bytes, machines): no plan is better
  std::optional<MeasuredPlan> measured = {};
};

// `placement` is of `problem`, which was made from `benchmark`.
Plan make_plan(const Benchmark& benchmark, const std::string& source, Objective objective,
               const PlannedPlacement& placement, const PlacementProblem& problem);

// How many requests travel together.
double joined_requests(const Plan& plan);
// What its objective makes small: seconds of latency, seconds between answers, bytes of the machine with
// most, machines.
double objective_figure(const Plan& plan);

// Whether the same stages run on the same machines, however they were predicted.
bool runs_alike(const Plan& a, const Plan& b);

// Whether some stages run at once.
bool has_branches(const Plan& plan);

// Machines that have a stage.
std::size_t machines_of(const Plan& plan);
// Bytes that the plan takes of the machine with most.
std::uint64_t most_memory_of(const Plan& plan);

// Whether the plan has a stage on the device.
bool uses(const Plan& plan, const std::string& device);

// The placement that a plan describes, priced by `problem`, which was made from `benchmark`.
// Error(invalid_argument) where the benchmark is of another model or other pieces, or lacks a device, or the
// problem a wire format.
Placement placement_of(const Plan& plan, const Benchmark& benchmark, const PlacementProblem& problem);

}  // namespace lamina
