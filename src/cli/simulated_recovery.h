// What a deployment would do when a machine is lost, for a simulation.
#pragma once

#include "cli/replanning.h"
#include "plan/simulate.h"
#include "profile/benchmark.h"

#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina::cli {

// What requests of the plan cost, joined or not. `benchmark` outlives what is returned.
ProblemOfRows problem_of_rows(const Plan& plan, const Benchmark& benchmark);

// Plans anew as the head does (cli/replanning.h, cluster/supervisor.h): a stopgap where there is one, then
// the best plan where it gains enough.
class SimulatedRecovery {
 public:
  // `benchmark` is of all sizes; it and `plan` outlive this.
  SimulatedRecovery(const std::filesystem::path& directory, const Plan& plan, const Benchmark& benchmark);

  // None where no plan fits what is left.
  std::vector<SimulatedChange> recover(std::size_t device, double requests_per_second);
  // What each change of the last recover() is, for people: "a stopgap: a → slow".
  const std::vector<std::string>& described() const { return described_; }

 private:
  void change(const std::string& what, const Plan& before, const Plan& next,
              std::vector<SimulatedChange>& changes);

  const Plan& plan_;
  const Benchmark& benchmark_;
  const SlicedModel model_;
  Replanning replanning_;
  std::vector<std::string> described_;
};

}  // namespace lamina::cli
