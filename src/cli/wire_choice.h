// Which wire formats a plan may use, by what they cost the answers on a calibration input.
#pragma once

#include "plan/cost_model.h"
#include "plan/plan.h"
#include "profile/benchmark.h"
#include "profile/wire_accuracy.h"
#include "slice/artifact.h"

#include <memory>
#include <string>
#include <vector>

namespace lamina::cli {

struct WireArguments {
  std::string wire = "f32";              // a format's name, or auto
  std::vector<std::string> calibration;  // an .npy for each input; none: random values
  double tolerance = kTolerance;
};

class WireChoice {
 public:
  // Runs the model, whole and from each cut on, with what crosses there narrowed: some tens of runs.
  WireChoice(const WireArguments& arguments, const SlicedModel& model, const Benchmark& benchmark);

  // The formats that each cut allows: the one asked for, or with auto those that keep the answers.
  void add_to(PlacementProblem& problem) const;
  // Runs the plan with all its narrowed hops and keeps in it how far the answers come to be. With auto, where
  // that is too far, the hop that costs most may no longer use its format, and the answer is false: plan
  // again.
  bool accept(Plan& plan, const Placement& placement);

 private:
  void measure(const std::string& name);

  const WireArguments& arguments_;
  const Benchmark& benchmark_;
  std::shared_ptr<Engine> engine_;
  WireAccuracy accuracy_;

  std::vector<PlanWire> wires_;
};

}  // namespace lamina::cli
