#include "deploy/rehearsal.h"

#include "base/clock.h"
#include "base/error.h"
#include "deploy/pipeline.h"
#include "profile/measure.h"
#include "profile/statistics.h"

#include <algorithm>
#include <condition_variable>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

namespace lamina {

namespace {

constexpr int kWarmUp = 5;
// With so many under way for each stage none waits for work.
constexpr std::size_t kUnderWayPerReplica = 2;
// A rate is of so many answers at least, however long they take: more than those of lone requests, so that
// the median of a stage's last runs is one of busy runs.
constexpr std::size_t kLeastAnswers = 20;
constexpr std::chrono::seconds kDescribeLimit{10};

// Requests of which some are under way at once, and the first error of any.
class Requests {
 public:
  Requests(Head& head, std::vector<Tensor> inputs, std::chrono::seconds limit)
      : head_(head), inputs_(std::move(inputs)), limit_(limit) {}
  ~Requests() { wait_for(0); }
  Requests(const Requests&) = delete;
  Requests& operator=(const Requests&) = delete;

  void send() {
    {
      const std::lock_guard lock(mutex_);
      ++under_way_;
    }
    head_.predict(inputs_, Deadline(limit_), [this](const Prediction& prediction) {
      const std::lock_guard lock(mutex_);
      if (prediction.error && !error_) error_ = prediction.error;
      --under_way_;
      ++answered_;
      changed_.notify_all();
    });
  }

  // Until at most so many are under way. The head ends each by its deadline, so this ends.
  void wait_for(std::size_t most) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return under_way_ <= most; });
  }

  std::size_t answered() const {
    const std::lock_guard lock(mutex_);
    if (error_) throw Error(*error_);
    return answered_;
  }

 private:
  Head& head_;
  const std::vector<Tensor> inputs_;
  const std::chrono::seconds limit_;
  mutable std::mutex mutex_;
  std::condition_variable changed_;
  std::size_t under_way_ = 0;  // guarded by mutex_, as all below
  std::size_t answered_ = 0;
  std::optional<Error> error_;
};

double measure_latency(Requests& requests, int repeats) {
  std::vector<double> seconds;
  for (int i = 0; i < kWarmUp + repeats; ++i) {
    const Clock::time_point begin = Clock::now();
    requests.send();
    requests.wait_for(0);
    requests.answered();
    if (i >= kWarmUp) seconds.push_back(seconds_since(begin));
  }
  return median(seconds);
}

struct BusyTime {
  double seconds = 0;
  double answers = 0;
};

// Keeps so many requests under way; `begins` is called when the pipeline is full.
template <typename Begins>
BusyTime keep_busy(Requests& requests, std::size_t under_way, std::chrono::milliseconds busy,
                   const Begins& begins) {
  for (std::size_t i = 0; i < under_way; ++i) requests.send();
  // The pipeline fills while the first of them pass.
  const std::size_t filled = requests.answered() + under_way;
  while (requests.answered() < filled) {
    requests.wait_for(under_way - 1);
    requests.send();
  }
  begins();
  const std::size_t before = requests.answered();
  const Clock::time_point begin = Clock::now();
  const Deadline enough(busy);
  while (!enough.passed() || requests.answered() < before + kLeastAnswers) {
    requests.wait_for(under_way - 1);
    requests.send();
  }
  const double seconds = seconds_since(begin);
  return {seconds, static_cast<double>(requests.answered() - before)};
}

// Sets `part` of each replica's run to the stage's recent time there.
void keep_stage_times(const PipelineStatus& status, double ReplicaRun::*part, StageRuns& runs) {
  std::size_t place = 0;
  for (auto& replicas : runs) {
    for (ReplicaRun& run : replicas) run.*part = status.stages[place++].measured_seconds;
  }
}

// Seconds of processors that each worker of the plan has used so far, by name.
std::map<std::string, double> processor_seconds_of(const Plan& plan, const Fleet& fleet) {
  std::map<std::string, double> seconds;
  for (const PlannedStage& stage : plan.stages) {
    for (const PlannedReplica& replica : stage.replicas) {
      if (!seconds.contains(replica.device))
        seconds[replica.device] =
            fleet.member(replica.device).client->describe(kDescribeLimit).processor_seconds;
    }
  }
  return seconds;
}

// The mean over the replicas' shares.
void fill_in(Plan& plan, const StageRuns& runs) {
  for (std::size_t i = 0; i < plan.stages.size(); ++i) {
    double seconds = 0;
    for (std::size_t j = 0; j < runs[i].size(); ++j)
      seconds += plan.stages[i].replicas[j].share * runs[i][j].seconds;
    plan.stages[i].measured_seconds = seconds;
  }
}

}  // namespace

StageRuns rehearse(Plan& plan, const SlicedModel& model, const std::string& model_hash, const Fleet& fleet,
                   const RehearsalOptions& options) {
  StageRuns runs;
  for (const PlannedStage& stage : plan.stages) runs.emplace_back(stage.replicas.size());
  const std::unique_ptr<Head> head = make_head(model, model_hash, plan, fleet, options.head);
  try {
    head->start();
    std::size_t replicas = 0;
    for (const auto& stage : runs) replicas += stage.size();
    const std::size_t under_way = std::min(options.head.max_in_flight, kUnderWayPerReplica * replicas + 1);
    Requests requests(*head, random_inputs(head->signature(), plan.batch, 1), options.limit);
    MeasuredPlan measured;
    measured.latency = measure_latency(requests, options.repeats);
    keep_stage_times(head->status(), &ReplicaRun::seconds, runs);
    std::map<std::string, double> before;
    const BusyTime busy =
        keep_busy(requests, under_way, options.busy, [&] { before = processor_seconds_of(plan, fleet); });
    measured.period = busy.seconds / busy.answers;
    keep_stage_times(head->status(), &ReplicaRun::busy_seconds, runs);
    const std::map<std::string, double> after = processor_seconds_of(plan, fleet);
    for (std::size_t i = 0; i < runs.size(); ++i) {
      for (std::size_t j = 0; j < runs[i].size(); ++j) {
        const std::string& device = plan.stages[i].replicas[j].device;
        runs[i][j].processor_seconds = (after.at(device) - before.at(device)) / busy.answers;
      }
    }
    plan.measured = measured;
    fill_in(plan, runs);
  } catch (const Error&) {
    head->unload();
    throw;
  }
  head->unload();
  return runs;
}

}  // namespace lamina
