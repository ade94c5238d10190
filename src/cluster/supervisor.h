// The orchestrator that outlives its machines: when one is lost it plans anew for those that are left, loads
// their stages and sends the requests under way again; a machine that comes back is taken back.
//
// Plans run as generations (cluster/generation.h), one after another; requests stay in one table from when
// they are taken until they are answered (cluster/dispatcher.h). One thread changes plans, for what becomes
// of the machines (cluster/machines.h).
#pragma once

#include "cluster/conditions.h"
#include "cluster/head_plan.h"
#include "cluster/membership.h"
#include "cluster/orchestrator.h"
#include "cluster/stragglers.h"

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace lamina {

// What is to run where.
struct Blueprint {
  std::string name;               // two of one name are the same
  std::vector<HeadStage> stages;  // addresses are filled in when it runs
  HeadOptions options = {};       // of the pipeline; how to listen and watch is the supervisor's
  // The share of what requests take (or whatever it is to be best at) that it is predicted to save, against
  // the plan that it was to be compared with.
  double gain = 0;
};

// A change of plan costs loading its stages: for less of a gain than this the one that serves stays.
inline constexpr double kClearGain = 0.15;

struct SupervisorOptions {
  HeadOptions head = {};              // how to listen, how many requests, how to watch
  std::vector<std::string> machines;  // that may be used
  Membership::Find find;
  // The best plan for the machines. Its gain is against the one of the name `serving`, if any. An Error where
  // none fits.
  std::function<Blueprint(const Conditions&, const std::string& serving)> plan;
  // What serves soonest on the machines in place of the plan of the name `lost`, which used others too: it
  // serves until a better plan is loaded beside it. Nothing where that can't be had; not asked where not set.
  std::function<std::optional<Blueprint>(const Conditions&, const std::string& lost)> stopgap = {};
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
