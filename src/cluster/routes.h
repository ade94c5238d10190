// Which tensors go from which stage to which: the stages of a pipeline as a directed graph without cycles.
#pragma once

#include "engine/engine.h"

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

namespace lamina {

// Where a tensor comes from: an output of a stage, or an input of the request.
struct TensorSource {
  static constexpr std::size_t kRequest = std::numeric_limits<std::size_t>::max();
  std::size_t stage = kRequest;
  std::size_t number = 0;  // among the outputs of the stage, or the inputs of the request
};

// The tensors that go from one sender to one receiver, in one frame.
struct Route {
  std::size_t to = 0;                // a stage; their number stands for the head
  std::size_t part = 0;              // which part of the receiver's inputs
  std::vector<std::size_t> outputs;  // of the sender, in the order in which they travel
};

// For each part, the places of its tensors among the receiver's inputs, in the order in which they travel.
using Parts = std::vector<std::vector<std::size_t>>;

struct Routes {
  std::vector<Route> of_request;             // from the head
  std::vector<std::vector<Route>> of_stage;  // by sender; receivers in the order of the stages
  std::vector<Parts> parts;                  // by receiver, the last is the head
};

// A stage as its routes see it.
struct RoutedStage {
  std::string name;
  std::size_t inputs = 0;
  std::size_t outputs = 0;
  std::size_t replicas = 1;
  std::vector<TensorSource>
      sources;  // of its inputs; none: all that the stage before it (or the request) has
};

// `sources` are those of the request's answers; none: all that the last stage has. Error(invalid_argument)
// for tensors that don't exist or come from a later stage. Error(unsupported) for replicas of a stage that
// several stages send to: they would have to agree on the one that gets a request.
Routes find_routes(std::span<const RoutedStage> stages, std::size_t inputs, std::size_t answers,
                   const std::vector<TensorSource>& sources);

}  // namespace lamina
