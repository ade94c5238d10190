#include "plan/simulated_generation.h"

#include "plan/branch_cost.h"

#include <algorithm>
#include <utility>

namespace lamina {

SimulatedGeneration::SimulatedGeneration(const Placement& placement_, ProblemOfRows problem_of_,
                                         std::size_t most_rows)
    : placement(placement_),
      problem_of(std::move(problem_of_)),
      source(problem_of(most_rows).source),
      hops(hops_of(problem_of(most_rows), placement)),
      turns(placement.stages.size()),
      waiting(placement.stages.size(), 0) {}

// Each sender gives the next stage's replicas their turns; a stage with several senders has one replica.
std::vector<std::size_t> SimulatedGeneration::devices_of_next() {
  std::vector<std::size_t> devices;
  std::vector<std::size_t> sender(hops.size(), source);
  for (std::size_t stage = 0; stage < turns.size(); ++stage) {
    const std::vector<Replica>& replicas = placement.stages[stage].replicas;
    Shares& of_sender = turns[stage].try_emplace(sender[stage], Shares::of(replicas)).first->second;
    devices.push_back(replicas[of_sender.next()].device);
    for (const StageHop& hop : hops[stage]) sender[hop.to] = devices.back();
  }
  devices.push_back(source);
  return devices;
}

std::vector<std::size_t> SimulatedGeneration::hops_to_come() const {
  std::vector<std::size_t> to_come(hops.size(), 0);
  for (const auto& from : hops) {
    for (const StageHop& hop : from) ++to_come[hop.to];
  }
  return to_come;
}

double SimulatedGeneration::seconds_at_work(std::size_t stage, std::size_t device, std::size_t rows,
                                            bool idle, double times) const {
  const PlacementProblem& problem = problem_of(rows);
  double seconds = 0;
  double processors = 0;
  for (const PieceCost* cost : costs_of(problem, placement.stages[stage], device)) {
    seconds += idle ? cost->seconds : cost->busy_seconds();
    processors += compute_work(problem.devices[device], *cost).processors;
  }
  seconds *= times;
  // What its messages and formats take.
  const auto add = [&](const StageWork& more) {
    seconds += more.computing;
    processors += more.processors;
  };
  for (const auto& from : hops) {
    for (const StageHop& hop : from) {
      if (hop.from == stage) add(sending_work(problem, hop, device));
      if (hop.to == stage) add(receiving_work(problem, hop, device));
    }
  }
  // At work, whichever is the longer: the thread that computes, or all that its processors have to do.
  return idle ? seconds + problem.devices[device].wake : std::max(seconds, processors);
}

}  // namespace lamina
