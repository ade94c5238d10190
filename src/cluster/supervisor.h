// The orchestrator that outlives its machines: when one is lost it plans anew for those that are left, loads
// their stages and sends the requests under way again; a machine that comes back is taken back.
//
// Plans run as generations (cluster/generation.h), one after another; requests stay in one table from when
// they are taken until they are answered (cluster/dispatcher.h). One thread chooses plans
// (cluster/plan_choice.h) and changes them (cluster/generations.h), for what becomes of the machines
// (cluster/machines.h).
#pragma once

#include "cluster/blueprint.h"
#include "cluster/head_plan.h"
#include "cluster/membership.h"
#include "cluster/orchestrator.h"
#include "cluster/plan_choice.h"
#include "cluster/stragglers.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace lamina {

struct SupervisorOptions {
  HeadOptions head = {};              // how to listen, how many requests, how to watch
  std::vector<std::string> machines;  // that may be used
  Membership::Find find;
  FindPlan plan;
  FindStopgap stopgap = {};  // not asked where not set
  // What counts as slow. The plan is changed for it only where that saves clearly.
  StragglerOptions stragglers = {};
  // How long machines are waited for before the first plan.
  std::chrono::milliseconds first_look{10'000};
  // Whether to begin, as after a loss, without machines of the first plan that do not answer in time.
  bool may_miss = false;
  // While no plan fits, requests wait so long for a machine; later ones are refused at once.
  std::chrono::milliseconds patience{2000};
  // Requests that were sent so often fail when they are lost once more: they may be what ends the workers.
  int most_turns = 5;
  // Called, from the supervisor's thread, after machines or plan changed.
  std::function<void()> changed = {};
};

class Supervisor : public Orchestrator {
 public:
  Supervisor(Signature signature, SupervisorOptions options);
  // Fails requests that are still under way with Error(cancelled). What is loaded stays on the workers until
  // unload().
  ~Supervisor() override;
  Supervisor(const Supervisor&) = delete;
  Supervisor& operator=(const Supervisor&) = delete;

  // Runs the plan, and watches from then on. Throws the first Error met: until then nothing is recovered
  // from, but for machines that may be missing.
  void start(const Blueprint& first);
  // Plans for whatever machines are there, now and later.
  void start();
  // Whether requests are served, waiting for it at most `limit`.
  bool wait_until_serving(std::chrono::milliseconds limit) const;
  // What was asked for in the busiest five seconds of the last minute.
  double rows_per_second() const;
  // Ends watching and takes the stages from the workers.
  void unload();

  const Signature& signature() const override;
  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) override;
  void cancel(std::uint64_t request) override;
  // Both only tell the status: stages are loaded and connected as machines allow.
  PipelineStatus connect() override;
  PipelineStatus activate() override;
  PipelineStatus status() const override;
  PipelineStatus check() override;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

}  // namespace lamina
