#include "deploy/rehearsal.h"

#include "base/clock.h"
#include "base/error.h"
#include "deploy/pipeline.h"
#include "profile/measure.h"
#include "profile/statistics.h"

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <vector>

namespace lamina {

namespace {

constexpr int kWarmUp = 5;
// With so many under way for each stage none waits for work.
constexpr std::size_t kUnderWayPerReplica = 2;
// A rate is of so many answers at least, however long they take.
constexpr std::size_t kLeastAnswers = 8;

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

double measure_period(Requests& requests, std::size_t under_way, std::chrono::milliseconds busy) {
  for (std::size_t i = 0; i < under_way; ++i) requests.send();
  // The pipeline fills while the first of them pass.
  const std::size_t filled = requests.answered() + under_way;
  while (requests.answered() < filled) {
    requests.wait_for(under_way - 1);
    requests.send();
  }
  const std::size_t before = requests.answered();
  const Clock::time_point begin = Clock::now();
  const Deadline enough(busy);
  while (!enough.passed() || requests.answered() < before + kLeastAnswers) {
    requests.wait_for(under_way - 1);
    requests.send();
  }
  const double seconds = seconds_since(begin);
  return seconds / static_cast<double>(requests.answered() - before);
}

// The mean over the replicas' shares.
void keep_stage_times(Plan& plan, const PipelineStatus& status) {
  std::size_t place = 0;
  for (PlannedStage& stage : plan.stages) {
    double seconds = 0;
    for (const PlannedReplica& replica : stage.replicas)
      seconds += replica.share * status.stages[place++].measured_seconds;
    stage.measured_seconds = seconds;
  }
}

}  // namespace

void rehearse(Plan& plan, const SlicedModel& model, const std::string& model_hash, const Fleet& fleet,
              const RehearsalOptions& options) {
  const std::unique_ptr<Head> head = make_head(model, model_hash, plan, fleet, options.head);
  try {
    head->start();
    std::size_t replicas = 0;
    for (const PlannedStage& stage : plan.stages) replicas += stage.replicas.size();
    const std::size_t under_way = std::min(options.head.max_in_flight, kUnderWayPerReplica * replicas + 1);
    Requests requests(*head, random_inputs(head->signature(), plan.batch, 1), options.limit);
    MeasuredPlan measured;
    measured.latency = measure_latency(requests, options.repeats);
    keep_stage_times(plan, head->status());
    measured.period = measure_period(requests, under_way, options.busy);
    plan.measured = measured;
  } catch (const Error&) {
    head->unload();
    throw;
  }
  head->unload();
}

}  // namespace lamina
