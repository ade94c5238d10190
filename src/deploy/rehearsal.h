// A plan measured as it will run: its merged stages on the workers, for a moment, on random inputs.
#pragma once

#include "cluster/head.h"
#include "deploy/fleet.h"
#include "plan/corrections.h"
#include "plan/plan.h"
#include "slice/artifact.h"

#include <chrono>
#include <string>

namespace lamina {

struct RehearsalOptions {
  int repeats = 10;                      // requests one after another, for the latency
  std::chrono::milliseconds busy{1000};  // then with many under way, for the rate
  std::chrono::seconds limit{60};        // for any one answer
  HeadOptions head = {};
};

// Loads the plan's stages, fills in what they take (medians, in seconds) and takes them from the workers
// again. A request is of plan.batch rows. Returns what each replica took, in the plan's order. Throws the
// first Error of a stage that can't be loaded or does not answer.
StageRuns rehearse(Plan& plan, const SlicedModel& model, const std::string& model_hash, const Fleet& fleet,
                   const RehearsalOptions& options);

}  // namespace lamina
