// What a plan would do under load: a discrete-event simulation.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

// A machine that stops at a time. Requests under way fail, new ones are refused until a plan without it
// stands.
struct SimulatedFailure {
  std::size_t device = 0;
  double at = 0;                        // seconds
  std::optional<double> recovery = {};  // seconds until the next plan serves; load_seconds() of it without
};

// Requests that are joined as the Batcher does (cluster/batcher.h).
struct SimulatedJoining {
  std::size_t rows = 1;                                                 // at most
  double window = 0;                                                    // seconds
  std::function<const PlacementProblem&(std::size_t rows)> problem_of;  // what so many rows cost
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
  // The plan once the device has failed; nothing where none fits what is left.
  std::function<std::optional<Placement>(std::size_t device)> replan;
};

struct SimulatedStage {
  std::size_t most_waiting = 0;  // requests that waited for a replica of it at once
};

struct Simulation {
  std::vector<double> latencies;  // seconds, of the requests answered, in order of their answers
  std::size_t batches = 0;        // that the answered ones travelled in
  std::size_t refused = 0;
  std::size_t failed = 0;
  double span = 0;                     // seconds from the first arrival to the last answer
  std::vector<DeviceLoad> busy;        // by device: shares of the span
  std::vector<SimulatedStage> stages;  // of the first plan
  bool recovered = true;               // false: no plan fits once the device has failed
};

// Each device computes, sends and receives one request at a time, in order of arrival; a device that was idle
// wakes first. A transfer keeps the sender and the receiver busy together. Replicas take turns by their
// shares.
Simulation simulate(const PlacementProblem& problem, const Placement& placement,
                    const SimulationOptions& options);

}  // namespace lamina
