#include "cluster/generations.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cluster/pipeline_number.h"
#include "cluster/place.h"
#include "cluster/worker_client.h"

#include <algorithm>
#include <exception>
#include <thread>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::seconds kDrainLimit{5};
constexpr std::chrono::milliseconds kDrainPoll{5};
constexpr std::chrono::milliseconds kTidyLimit{500};
// A process that is there answers within the second, however busy it is.
constexpr std::chrono::milliseconds kLeastReconnectLimit{1000};
constexpr std::chrono::milliseconds kNoLimit{0};

}  // namespace

Generations::Generations(HeadOptions head, Machines& machines, Dispatcher& dispatcher,
                         RecoveryHistory& history, std::function<void()> changed)
    : head_(std::move(head)),
      machines_(machines),
      dispatcher_(dispatcher),
      history_(history),
      changed_(std::move(changed)),
      answers_(head_.listen, head_.tls, head_.max_frame_bytes),
      next_pipeline_(new_pipeline_number()) {}

// --- for the planning thread ---

void Generations::start(const Blueprint& first) {
  std::shared_ptr<Generation> generation = make(first, kNoLimit);
  generation->start();
  {
    const std::lock_guard lock(mutex_);
    take_over(first, generation->pipeline());
  }
  serve(std::move(generation));
}

std::optional<Refusal> Generations::replace(const Blueprint& next) {
  // The way to machines that served until now is known.
  const bool known = std::ranges::includes(machines_of(blueprint_), machines_of(next));
  return try_out(next, Room::make,
                 known ? std::max(silence_of(head_.heartbeat), kLeastReconnectLimit) : kNoLimit);
}

std::optional<Refusal> Generations::follow(const Blueprint& next) {
  const std::shared_ptr<Generation> old = dispatcher_.serving();
  if (std::optional<Refusal> refusal = try_out(next, Room::beside, kNoLimit)) return refusal;
  const Deadline deadline(kDrainLimit);
  while (dispatcher_.count_with(old->pipeline()) > 0 && !deadline.passed() && old->ready())
    std::this_thread::sleep_for(kDrainPoll);
  dispatcher_.send_all();
  return std::nullopt;
}

std::shared_ptr<Generation> Generations::make(Blueprint blueprint, std::chrono::milliseconds answer_limit) {
  for (HeadStage& stage : blueprint.stages) {
    for (HeadReplica& replica : stage.replicas) {
      replica.address = machines_.address(replica.worker);
      if (replica.address.empty())
        fail(ErrorCode::unavailable, "the machine '{}' does not answer", replica.worker);
    }
  }
  HeadOptions options = combine(head_, blueprint.options);
  options.answer_limit = answer_limit;
  const std::uint64_t pipeline = next_pipeline_++;
  GenerationEvents events{
      .answered =
          [this, pipeline](std::uint64_t request, Prediction prediction) {
            dispatcher_.receive(pipeline, request, std::move(prediction));
          },
      .wanted = [this, pipeline](std::uint64_t request) { return dispatcher_.has(pipeline, request); },
      .ran = [this, pipeline](const std::string& worker, double seconds,
                              double expected) { note_run(pipeline, worker, seconds, expected); },
      .lost = [this, pipeline](const std::string& worker,
                               const Error& error) { note_loss(pipeline, worker, error); },
  };
  return std::make_shared<Generation>(dispatcher_.signature(), std::move(blueprint.stages),
                                      std::move(options), pipeline, answers_, std::move(events));
}

// Loads and connects a plan and serves it.
std::optional<Refusal> Generations::try_out(const Blueprint& blueprint, Room room,
                                            std::chrono::milliseconds answer_limit) {
  std::shared_ptr<Generation> generation = make(blueprint, answer_limit);
  {
    const std::lock_guard lock(mutex_);
    candidate_ = generation;
    candidate_machines_ = machines_of(blueprint);
    // What serves may have broken while this was planned.
    if (stopping_ || (room == Room::beside && broken_)) candidate_->abandon();
  }
  note_machines();  // one may have gone before this was a candidate
  std::optional<Error> failed;
  try {
    if (room == Room::make) generation->make_room();
    start_beside(*generation);
  } catch (const Error& error) {
    failed = error;
  } catch (const std::exception& error) {
    failed = Error(ErrorCode::internal, error.what());
  }
  {
    const std::lock_guard lock(mutex_);
    candidate_.reset();
    // Loaded in the same moment in which it was given up.
    if (room == Room::beside && broken_ && !failed)
      failed = Error(ErrorCode::cancelled, "what served was lost meanwhile");
    if (!failed) take_over(blueprint, generation->pipeline());
  }
  if (!failed) {
    serve(std::move(generation));
    return std::nullopt;
  }
  spdlog::warn("a plan can't be run: {}", failed->what());
  Refusal refusal{*failed, {}};
  if (failed->code() == ErrorCode::cancelled) return refusal;
  for (const StageStatus& stage : generation->stages()) {
    if (!stage.error.empty()) refusal.workers.push_back(stage.worker);
  }
  return refusal;
}

// Where there is no room beside the stages that serve, they make it: requests wait meanwhile.
void Generations::start_beside(Generation& generation) {
  try {
    generation.start();
  } catch (const Error& error) {
    if (error.code() != ErrorCode::out_of_memory || !end_serving()) throw;
    spdlog::info("no room beside the stages that serve: {}", error.what());
    generation.make_room();
    generation.start();
  }
}

// Called with the lock: a loss is either of what served before or of what serves from now on.
void Generations::take_over(const Blueprint& blueprint, std::uint64_t pipeline) {
  serving_ = pipeline;
  blueprint_ = blueprint;
  broken_ = false;
  suspect_.clear();
  trouble_.clear();
}

void Generations::serve(std::shared_ptr<Generation> generation) {
  machines_.begin_anew();
  dispatcher_.serve(std::move(generation));
  history_.set_state("serving");
}

std::optional<std::string> Generations::retire() {
  std::string suspect;
  {
    const std::lock_guard lock(mutex_);
    suspect = std::exchange(suspect_, "");
    broken_ = false;
  }
  return end_serving() ? std::optional(suspect) : std::nullopt;
}

// Whether there was one.
bool Generations::end_serving() {
  {
    const std::lock_guard lock(mutex_);
    serving_ = 0;
  }
  return dispatcher_.retire() != nullptr;
}

void Generations::tidy(const std::set<std::string>& machines) {
  const std::shared_ptr<Generation> now = dispatcher_.serving();
  if (!now) return;
  now->keep_only_this();
  const std::set<std::string> used = machines_of(blueprint_);
  for (const std::string& name : machines) {
    if (used.contains(name)) continue;
    try {
      WorkerClient(machines_.address(name), head_.tls).keep({}, {}, kTidyLimit);
    } catch (const Error& error) {
      spdlog::debug("machine '{}' can't be tidied: {}", name, error.what());
    }
  }
}

bool Generations::serves() const {
  const std::lock_guard lock(mutex_);
  return serving_ != 0;
}

bool Generations::is_broken() const {
  const std::lock_guard lock(mutex_);
  return broken_;
}

// --- for all threads ---

void Generations::note_loss(std::uint64_t pipeline, const std::string& worker, const Error& error) {
  {
    const std::lock_guard lock(mutex_);
    // A better plan that is being loaded would keep requests waiting: what was loaded before serves sooner.
    if (candidate_ && (candidate_->pipeline() == pipeline || serving_ == pipeline)) candidate_->abandon();
    if (serving_ != pipeline) return;
    if (!broken_) trouble_ = error.what();
    history_.begin(trouble_, dispatcher_.resent());
    if (!worker.empty()) suspect_ = worker;
    broken_ = true;
  }
  changed_();
}

void Generations::note_machines() {
  const std::lock_guard lock(mutex_);
  // Nobody waits for a machine that is gone to load its stage.
  if (candidate_ && !std::ranges::includes(machines_.present(), candidate_machines_)) candidate_->abandon();
}

void Generations::note_run(std::uint64_t pipeline, const std::string& worker, double seconds,
                           double expected) {
  {
    const std::lock_guard lock(mutex_);
    // While stages are loaded everything is slow.
    if (candidate_ || serving_ != pipeline) return;
  }
  if (machines_.note_run(worker, seconds, expected)) changed_();
}

void Generations::set_trouble(const std::string& trouble) {
  const std::lock_guard lock(mutex_);
  trouble_ = trouble;
}

void Generations::stop() {
  const std::lock_guard lock(mutex_);
  stopping_ = true;
  if (candidate_) candidate_->abandon();
}

void Generations::describe(PipelineStatus& status) const {
  const std::shared_ptr<Generation> serving = dispatcher_.serving();
  const std::lock_guard lock(mutex_);
  status.model = blueprint_.options.model;
  status.predicted_latency = blueprint_.options.predicted_latency;
  if (serving) {
    status.stages = serving->stages();
    return;
  }
  for (const HeadStage& stage : blueprint_.stages) {
    for (const HeadReplica& replica : stage.replicas) {
      status.stages.push_back(status_of(replica, stage));
      status.stages.back().error = trouble_;
    }
  }
}

}  // namespace lamina
