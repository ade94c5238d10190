// How other systems place a model, written anew from their published rules, mistakes included: to compare
// their plans with ours under the true cost of plan/cost_model.h.
//
// Each of them times a piece alone, so its figure for a piece holds the waking of the device too.
#pragma once

#include "plan/cost_model.h"

#include <cstddef>
#include <optional>
#include <vector>

namespace lamina {

struct OtherPlan {
  std::vector<std::size_t> device_of;  // [piece]
  double belief = 0;  // seconds, as its rules see it: the latency, or PipeEdge's time between two answers
  std::size_t deployed = 0;  // it starts only the pieces before this one
};

// The path of least penalty that PAPDL (pregenRobot/papdl, src/papdl/configure) finds, with its mistakes:
//  - every piece is charged a hop, also one that stays on its device; of the whole round trip; with the bytes
//    of its output, not of its input; and bytes are divided by bits a second;
//  - where the sender can't run the piece, its output has no known size and the hop is never taken;
//  - times are sums over the repeats of the benchmark (10 by default), divided by the batch (1 by default);
//  - the way back carries INPUT_SIZE, the elements of the input;
//  - memory: weights in elements, activations of every piece added up, six bytes for each element of input;
//  - the last block is never started where it is on the source, unless it is the only one.
// PAPDL looks through whole paths; this is a best-first search with the same answer. Nothing where PAPDL
// finds no path, or after `max_labels` partial placements.
std::optional<OtherPlan> plan_like_papdl(const PlacementProblem& problem, std::size_t max_labels = 1'000'000);

// What PAPDL charges for a path; infinite where its check finds that memory lacks.
double papdl_penalty(const PlacementProblem& problem, const std::vector<std::size_t>& device_of);

// The stages of least bottleneck that PipeEdge (usc-isi/PipeEdge, src-native/schedule.cpp) finds. It knows
// machines by type: `type_of[device]` counts them in the order of their names, and the first machine of a
// type speaks for all. Each machine runs one stage. Round trips and the ways from and to the source aren't
// charged; a megabit is 2^20 bits; activations take no memory, buffers do. Its mistake: figures of type
// number n are taken from machine number n of a list that holds each type as often as it has machines, so
// where a type before has more than one, its figures stand for later types as well. Nothing where nothing
// fits. Memory and time grow with the product of (machines of a type + 1).
std::optional<OtherPlan> plan_like_pipeedge(const PlacementProblem& problem,
                                            const std::vector<std::size_t>& type_of);

enum class Tier { device, edge, cloud };

// The fastest that Scission (qub-blesson/Scission, scission_predict.py) finds among all ways to cut the model
// into at most one block for a device, an edge and a cloud, in this order. The input is at the device. A hop
// is charged the whole ping; nothing is sent back; memory isn't looked at. Nothing where a tier has no
// machine.
std::optional<OtherPlan> plan_like_scission(const PlacementProblem& problem,
                                            const std::vector<Tier>& tier_of);

}  // namespace lamina
