// What a plan would do under load: a discrete-event simulation.
#pragma once

#include "plan/cost_model.h"
#include "plan/simulated_generation.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// A machine that stops at a time, for good.
struct SimulatedFailure {
  std::size_t device = 0;
  double at = 0;  // seconds
};

// A plan that takes over once it is loaded.
struct SimulatedChange {
  double seconds = 0;  // of loading, from the failure, or from the change before
  Placement placement;
  ProblemOfRows problem_of = {};  // the first plan's where it is not set
};

// Requests that are joined as the Batcher does (cluster/batcher.h).
struct SimulatedJoining {
  std::size_t rows = 1;  // at most
  double window = 0;     // seconds
  ProblemOfRows problem_of;
};

struct SimulationOptions {
  double rate = 1;      // requests a second, arriving independently of each other (a Poisson process)
  double seconds = 60;  // that requests arrive for
  std::size_t max_in_flight = 64;  // requests beyond are refused, as the head does
  std::uint64_t seed = 1;
  // Spread of a stage's time on a device: the standard deviation of its logarithm. Stages vary independently.
  std::function<double(const PlacedStage& stage, std::size_t device)> spread;
  std::optional<SimulatedJoining> joining;  // nothing where each request goes alone
  std::optional<SimulatedFailure> failure;
  // The plans that serve one after another once a device that is in use has failed, the first after a gap,
  // the others loaded beside the one before; none where no plan fits what is left. `rate`: requests a second
  // in the busiest five seconds of the last minute.
  std::function<std::vector<SimulatedChange>(std::size_t device, double rate)> recover;
  double patience = 2;  // seconds that requests wait for a plan where none fits; later ones are refused
};

struct SimulatedStage {
  std::size_t most_waiting = 0;  // requests that waited for a replica of it at once
};

struct Simulation {
  std::vector<double> latencies;  // seconds, of the requests answered, in order of their answers
  std::size_t batches = 0;        // that the answered ones travelled in
  std::size_t refused = 0;
  std::size_t failed = 0;              // taken, and never answered for want of a plan
  std::size_t resent = 0;              // under way when the device failed, and sent again
  std::vector<double> changes;         // seconds, when other plans began to serve
  double span = 0;                     // seconds from the first arrival to the last answer
  std::vector<DeviceLoad> busy;        // by device: shares of the span
  std::vector<SimulatedStage> stages;  // of the first plan
  bool recovered = true;               // false: no plan fits once the device has failed
};

// Each device computes, sends and receives one request at a time, in order of arrival; a device that was idle
// wakes first. A transfer keeps the sender and the receiver busy together. Replicas take turns by their
// shares.
//
// When a device fails that the plan uses, requests under way wait, as those that come meanwhile, and are sent
// when the next plan serves: each is answered once. A plan that was loaded beside another gets new requests;
// those under way have five seconds to end where they are. Loading slows nothing down here.
Simulation simulate(const PlacementProblem& problem, const Placement& placement,
                    const SimulationOptions& options);

}  // namespace lamina
