// A plan as it serves in a simulation (plan/simulate.h), or has served and still has requests.
#pragma once

#include "base/shares.h"
#include "plan/cost_model.h"
#include "plan/stage_hops.h"

#include <cstddef>
#include <functional>
#include <map>
#include <tuple>
#include <vector>

namespace lamina {

// What so many rows cost that travel together.
using ProblemOfRows = std::function<const PlacementProblem&(std::size_t rows)>;

struct SimulatedGeneration {
  // `most_rows` travel together at most.
  SimulatedGeneration(const Placement& placement, ProblemOfRows problem_of, std::size_t most_rows);

  Placement placement;
  ProblemOfRows problem_of;
  std::size_t source = 0;
  std::vector<std::vector<StageHop>> hops;
  std::vector<std::map<std::size_t, Shares>> turns;  // by stage and device that sends to it
  std::vector<std::size_t> waiting;                  // by stage, the one computed included
  // When it is free again, by sender, receiver and device.
  std::map<std::tuple<std::size_t, std::size_t, std::size_t>, double> loopbacks;

  std::size_t front_end() const { return hops.size() - 1; }
  // By stage, the front end last: the devices whose turn it is, and how many hops lead there.
  std::vector<std::size_t> devices_of_next();
  std::vector<std::size_t> hops_to_come() const;
  // The seconds that a stage keeps a device busy for so many rows, its pieces `times` as long as planned.
  double seconds_at_work(std::size_t stage, std::size_t device, std::size_t rows, bool idle,
                         double times) const;
};

}  // namespace lamina
