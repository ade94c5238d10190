// Devices that may run a stage together, counted by kind.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <functional>
#include <vector>

namespace lamina {

// Devices are of one kind when they can be exchanged for each other: all their figures are equal.
// The source is a kind of its own.
struct DeviceKinds {
  std::vector<std::vector<std::size_t>> members;  // devices by kind
  std::vector<std::size_t> kind_of;               // by device
};

DeviceKinds find_kinds(const PlacementProblem& problem);

// How many sets of 1 to `largest` devices there are, equal ones counted.
double count_groups(const DeviceKinds& kinds, std::size_t largest);
// Calls `visit` with the counts of every set of 1 to `largest` devices, equal ones counted.
void for_each_group(const DeviceKinds& kinds, std::size_t largest,
                    const std::function<void(const std::vector<std::size_t>& counts)>& visit);

// So many devices of each kind.
struct ReplicaGroup {
  std::vector<std::size_t> counts;   // by kind
  std::size_t state = 0;             // of these counts, see StateSpace
  std::size_t wire = 0;              // in which it sends on: a group counts once for each that it may use
  std::vector<std::size_t> devices;  // the first of each kind
};

// Which devices are taken, as one number: the counts of each kind as digits of mixed radix. A state that
// holds another has a greater number.
class StateSpace {
 public:
  explicit StateSpace(const DeviceKinds& kinds);
  std::size_t size() const { return size_; }
  std::size_t state_of(const std::vector<std::size_t>& counts) const;
  std::size_t count(std::size_t state, std::size_t kind) const {
    return state / stride_[kind] % radix_[kind];
  }
  // Whether the group's devices are free in `state`: then state + group.state is the state with them.
  bool has_room(std::size_t state, const ReplicaGroup& group) const;
  bool holds(std::size_t state, const ReplicaGroup& group) const;

 private:
  std::vector<std::size_t> radix_;
  std::vector<std::size_t> stride_;
  std::size_t size_ = 1;
};

// All groups of at most `largest` devices that can run some piece together, in the order of their states.
std::vector<ReplicaGroup> make_groups(const PlacementProblem& problem, const DeviceKinds& kinds,
                                      const StateSpace& states, std::size_t largest);

}  // namespace lamina
