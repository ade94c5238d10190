#include "cluster/supervisor.h"

#include "base/background.h"
#include "base/error.h"
#include "base/log.h"
#include "cluster/answer_port.h"
#include "cluster/dispatcher.h"
#include "cluster/generation.h"
#include "cluster/machines.h"
#include "cluster/pipeline_number.h"
#include "cluster/place.h"
#include "cluster/recovery_history.h"
#include "cluster/worker_client.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <iterator>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::seconds kDrainLimit{5};
constexpr std::chrono::milliseconds kDrainPoll{5};
constexpr std::chrono::milliseconds kBetweenAttempts{50};
constexpr std::chrono::milliseconds kTidyLimit{500};
constexpr std::chrono::seconds kBetweenImprovements{1};
constexpr std::chrono::hours kIdle{1};
// A process that is there answers within the second, however busy it is.
constexpr std::chrono::milliseconds kLeastReconnectLimit{1000};
// A change of plan costs loading its stages: for less it is not worth it.
constexpr double kClearGain = 0.15;

std::set<std::string> machines_of(const Blueprint& blueprint) {
  std::set<std::string> machines;
  for (const HeadStage& stage : blueprint.stages) {
    for (const HeadReplica& replica : stage.replicas) machines.insert(replica.worker);
  }
  return machines;
}

bool includes(const std::set<std::string>& all, const std::set<std::string>& some) {
  return std::includes(all.begin(), all.end(), some.begin(), some.end());
}

// What a plan's stages are loaded beside.
enum class Room : std::uint8_t {
  beside,  // those that serve
  make,    // nothing: all else is over
};

}  // namespace

class Supervisor::Implementation {
 public:
  Implementation(Signature signature, SupervisorOptions options)
      : options_(std::move(options)),
        answers_(options_.head.listen, options_.head.tls, options_.head.max_frame_bytes),
        next_pipeline_(new_pipeline_number()),
        dispatcher_(std::move(signature), options_.head.max_in_flight, options_.most_turns,
                    [this](std::uint64_t pipeline, const Error& error) { note_loss(pipeline, "", error); }) {}

  ~Implementation() {
    stop();
    retire();
    machines_.reset();
  }

  // --- life ---

  void start(const Blueprint& first) {
    watch_machines();
    if (!machines_->wait_for(machines_of(first))) spdlog::warn("not all machines of the plan answer");
    try {
      install_started(first);
    } catch (const Error& error) {
      // A connection may fail once for no reason; a machine that is gone stays so.
      if (error.code() != ErrorCode::unavailable) throw;
      spdlog::warn("trying once more: {}", error.what());
      std::this_thread::sleep_for(kBetweenAttempts);
      install_started(first);
    }
    considered_ = {machines_->present(), {}};
    thread_ = std::thread([this] { run(); });
  }

  void start() {
    watch_machines();
    history_.begin("nothing served yet", 0);
    thread_ = std::thread([this] { run(); });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (candidate_) candidate_->abandon();
      wake_.notify_all();
    }
    if (machines_) machines_->stop();
    if (thread_.joinable()) thread_.join();
  }

  void unload() {
    stop();
    if (const std::shared_ptr<Generation> generation = dispatcher_.serving()) generation->unload();
  }

  // --- state ---

  Dispatcher& dispatcher() { return dispatcher_; }
  const Dispatcher& dispatcher() const { return dispatcher_; }

  PipelineStatus status() const {
    PipelineStatus status;
    dispatcher_.count(status);
    status.recovery = history_.status();
    status.recovery->requests_resent = dispatcher_.resent();
    const std::shared_ptr<Generation> serving = dispatcher_.serving();
    const std::lock_guard lock(mutex_);
    status.model = blueprint_.options.model;
    status.predicted_latency = blueprint_.options.predicted_latency;
    if (serving) {
      status.stages = serving->stages();
      return status;
    }
    for (const HeadStage& stage : blueprint_.stages) {
      for (const HeadReplica& replica : stage.replicas) {
        status.stages.push_back(status_of(replica, stage));
        status.stages.back().error = trouble_;
      }
    }
    return status;
  }

 private:
  // --- what generations and machines tell ---

  void watch_machines() {
    machines_ = std::make_unique<Machines>(
        options_.machines, options_.find,
        MembershipOptions{.heartbeat = options_.head.heartbeat, .tls = options_.head.tls},
        options_.stragglers, [this] { note_change(); });
    machines_->wait_for_first_look();
  }

  void install_started(const Blueprint& first) {
    std::shared_ptr<Generation> generation = make(first);
    generation->start();
    install(first, std::move(generation));
  }

  void note_change() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    // Nobody waits for a machine that is gone to load its stage.
    if (candidate_ && !includes(machines_->present(), candidate_machines_)) candidate_->abandon();
    wake_.notify_all();
  }

  void note_loss(std::uint64_t pipeline, const std::string& worker, const Error& error) {
    const std::lock_guard lock(mutex_);
    // A better plan that is being loaded would keep requests waiting: what was loaded before serves sooner.
    if (candidate_ && (candidate_->pipeline() == pipeline || serving_ == pipeline)) candidate_->abandon();
    if (serving_ != pipeline) return;
    if (!broken_) trouble_ = error.what();
    history_.begin(trouble_, dispatcher_.resent());
    if (!worker.empty()) suspect_ = worker;
    broken_ = true;
    wake_.notify_all();
  }

  void note_run(std::uint64_t pipeline, const std::string& worker, double seconds, double expected) {
    {
      const std::lock_guard lock(mutex_);
      // While stages are loaded everything is slow.
      if (candidate_ || serving_ != pipeline) return;
    }
    if (machines_->note_run(worker, seconds, expected)) note_change();
  }

  // --- the thread that keeps a plan running ---

  void run() {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        wake_.wait_until(lock, next_turn(Clock::now()), [this] { return stopping_ || changed_ || broken_; });
        if (stopping_) return;
        changed_ = false;
      }
      try {
        adapt();
      } catch (const std::exception& error) {
        spdlog::error("recovering: {}", error.what());
      }
      if (options_.changed) options_.changed();
    }
  }

  // When to look again though nothing happened. Called with the lock.
  Clock::time_point next_turn(Clock::time_point now) const {
    const Clock::time_point next = machines_->next_change().value_or(now + kIdle);
    if (serving_ != 0) return next_improvement_ ? std::min(next, *next_improvement_) : next;
    if (!planless_) return std::min(next, now + kBetweenAttempts);
    return dispatcher_.is_refusing() ? next : std::min(next, *no_plan_since_ + options_.patience);
  }

  void adapt() {
    const std::set<std::string> present = machines_->count_failures();
    history_.set_machines(machines_->absent(), machines_->slow());
    bool whole = false;
    {
      const std::lock_guard lock(mutex_);
      whole = serving_ != 0 && !broken_ && includes(present, machines_of(blueprint_));
    }
    if (whole) {
      improve();
    } else {
      recover();
    }
  }

  void recover() {
    std::string suspect;
    {
      const std::lock_guard lock(mutex_);
      suspect = std::exchange(suspect_, "");
      broken_ = false;
    }
    const std::set<std::string> used = machines_of(blueprint_);
    if (retire()) machines_->find_out(used, suspect);
    note_lost(used);
    const Conditions conditions = machines_->conditions();
    Blueprint blueprint;
    try {
      // Machines that are all still there have lost no more than a connection, unless two of them no longer
      // reach each other.
      if (!blueprint_.stages.empty() && includes(conditions.machines, used)) {
        blueprint = blueprint_;
      } else {
        blueprint = plan_after_loss(conditions);
        considered_ = conditions;
      }
    } catch (const Error& error) {
      wait_for_machines(error);
      return;
    }
    const double planned = history_.seconds();
    planless_ = false;
    history_.set_state("recovering");
    // The way to machines that served until now is known.
    const bool known = includes(used, machines_of(blueprint));
    if (!try_out(blueprint, Room::make, known ? reconnect_limit() : std::chrono::milliseconds(0))) return;
    spdlog::info("serving again after {:.3f} s, of which {:.3f} s until there was a plan",
                 history_.end(dispatcher_.resent()), planned);
    tidy(conditions.machines);
    const std::lock_guard lock(mutex_);
    changed_ = true;  // another plan may be better by now
  }

  std::chrono::milliseconds reconnect_limit() const {
    return std::max(silence_of(options_.head.heartbeat), kLeastReconnectLimit);
  }

  Blueprint plan_after_loss(const Conditions& conditions) {
    makeshift_ = false;
    if (options_.stopgap && !blueprint_.stages.empty()) {
      if (std::optional<Blueprint> soonest = options_.stopgap(conditions, blueprint_.name)) {
        makeshift_ = true;
        return std::move(*soonest);
      }
    }
    return options_.plan(conditions, "");
  }

  void note_lost(const std::set<std::string>& used) {
    const std::set<std::string> absent = machines_->absent();
    std::set<std::string> lost;
    std::set_intersection(used.begin(), used.end(), absent.begin(), absent.end(),
                          std::inserter(lost, lost.end()));
    history_.begin(lost.empty() ? "it served no more" : fmt::format("'{}' is gone", *lost.begin()),
                   dispatcher_.resent());
    history_.add_lost(lost);
  }

  void wait_for_machines(const Error& error) {
    planless_ = true;
    const std::string what =
        fmt::format("no plan fits the machines that are left: {}{}", error.what(), refusal_);
    if (!no_plan_since_) {
      no_plan_since_ = Clock::now();
      spdlog::error("{}", what);
    }
    history_.set_state(what);
    {
      const std::lock_guard lock(mutex_);
      trouble_ = what;
    }
    if (dispatcher_.is_refusing() || Clock::now() >= *no_plan_since_ + options_.patience)
      dispatcher_.refuse(Error(ErrorCode::unavailable, what));
  }

  // Loads and connects a plan and serves it. False where it could not be: the machines at fault are left out
  // for a while.
  bool try_out(const Blueprint& blueprint, Room room, std::chrono::milliseconds answer_limit = {}) {
    std::shared_ptr<Generation> generation = make(blueprint, answer_limit);
    {
      const std::lock_guard lock(mutex_);
      candidate_ = generation;
      candidate_machines_ = machines_of(blueprint);
      // What serves may have broken while this was planned.
      if (stopping_ || (room == Room::beside && broken_)) candidate_->abandon();
    }
    note_change();  // a machine may have gone before it was a candidate
    std::optional<Error> failed;
    try {
      if (room == Room::make) generation->make_room();
      start_beside(*generation);
    } catch (const Error& error) {
      failed = error;
    }
    {
      const std::lock_guard lock(mutex_);
      candidate_.reset();
      // Loaded in the same moment in which it was given up.
      if (room == Room::beside && broken_ && !failed)
        failed = Error(ErrorCode::cancelled, "what served was lost meanwhile");
    }
    if (!failed) {
      refusal_.clear();
      install(blueprint, std::move(generation));
      return true;
    }
    spdlog::warn("a plan can't be run: {}", failed->what());
    for (const StageStatus& stage : generation->stages()) {
      if (!stage.error.empty() && !is_stopping() && failed->code() != ErrorCode::cancelled &&
          machines_->note_refusal(stage.worker))
        refusal_ = fmt::format("; the last plan could not be run: {}", failed->what());
    }
    return false;
  }

  // Where there is no room beside the stages that serve, they make it: requests wait meanwhile.
  void start_beside(Generation& generation) {
    try {
      generation.start();
    } catch (const Error& error) {
      if (error.code() != ErrorCode::out_of_memory || !retire()) throw;
      spdlog::info("no room beside the stages that serve: {}", error.what());
      generation.make_room();
      generation.start();
    }
  }

  bool is_broken() const {
    const std::lock_guard lock(mutex_);
    return broken_;
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  std::shared_ptr<Generation> make(Blueprint blueprint, std::chrono::milliseconds answer_limit = {}) {
    for (HeadStage& stage : blueprint.stages) {
      for (HeadReplica& replica : stage.replicas) {
        replica.address = machines_->address(replica.worker);
        if (replica.address.empty())
          fail(ErrorCode::unavailable, "the machine '{}' does not answer", replica.worker);
      }
    }
    HeadOptions options = combine(options_.head, blueprint.options);
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

  void install(const Blueprint& blueprint, std::shared_ptr<Generation> generation) {
    {
      const std::lock_guard lock(mutex_);
      serving_ = generation->pipeline();
      blueprint_ = blueprint;
      broken_ = false;
      suspect_.clear();
      trouble_.clear();
    }
    no_plan_since_.reset();
    machines_->begin_anew();
    dispatcher_.serve(std::move(generation));
    history_.set_state("serving");
  }

  // Ends the generation that served; its requests stay in the table. Whether there was one.
  bool retire() {
    {
      const std::lock_guard lock(mutex_);
      serving_ = 0;
    }
    return dispatcher_.retire() != nullptr;
  }

  // Frees what machines have of plans that are over.
  void tidy(const std::set<std::string>& machines) {
    const std::shared_ptr<Generation> now = dispatcher_.serving();
    if (!now) return;
    now->keep_only_this();
    const std::set<std::string> used = machines_of(blueprint_);
    for (const std::string& name : machines) {
      if (used.contains(name)) continue;
      try {
        WorkerClient(machines_->address(name), options_.head.tls).keep({}, {}, kTidyLimit);
      } catch (const Error& error) {
        spdlog::debug("machine '{}' can't be tidied: {}", name, error.what());
      }
    }
  }

  // Another plan may be better now: the new stages are loaded beside the old ones, then requests go there.
  void improve() {
    if (next_improvement_ && Clock::now() < *next_improvement_) return;
    next_improvement_.reset();
    const Conditions conditions = machines_->conditions();
    if (conditions == considered_ && !makeshift_) return;
    const bool same_machines = conditions.machines == considered_.machines;
    const Conditions before = considered_;
    const bool was_makeshift = makeshift_;
    const std::string reason = conditions == considered_ ? "the last plan was the soonest to load"
                                                         : describe_change(considered_, conditions);
    makeshift_ = false;
    const auto when = std::chrono::system_clock::now();
    considered_ = conditions;
    Blueprint blueprint;
    try {
      blueprint = run_in_background([&] { return options_.plan(conditions, blueprint_.name); });
    } catch (const Error& error) {
      spdlog::info("no other plan, though {}: {}", reason, error.what());
      return;
    }
    if (blueprint.name == blueprint_.name) return;
    if (same_machines && blueprint.gain < kClearGain) {
      spdlog::info("the plan stays, though {}: another would save {:.0f} %", reason,
                   100 * std::max(blueprint.gain, 0.0));
      return;
    }
    const std::uint64_t resent = dispatcher_.resent();
    std::shared_ptr<Generation> old = dispatcher_.serving();
    if (!try_out(blueprint, Room::beside)) {
      // What was in the way may be over soon: what served was lost, or a machine was started again meanwhile.
      considered_ = before;
      makeshift_ = was_makeshift;
      if (!is_broken()) next_improvement_ = Clock::now() + kBetweenImprovements;
      return;
    }
    const Deadline deadline(kDrainLimit);
    while (dispatcher_.count_with(old->pipeline()) > 0 && !deadline.passed() && old->ready())
      std::this_thread::sleep_for(kDrainPoll);
    dispatcher_.send_all();
    old.reset();  // it would take the end of its stages for a loss
    history_.add_change(when, reason, resent, dispatcher_.resent());
    spdlog::info("another plan serves, since {}", reason);
    tidy(conditions.machines);
  }

  const SupervisorOptions options_;
  AnswerPort answers_;
  RecoveryHistory history_;
  std::unique_ptr<Machines> machines_;

  // Of the thread that keeps a plan running alone.
  Conditions considered_;  // that a plan was last made for
  std::optional<Clock::time_point> no_plan_since_;
  std::optional<Clock::time_point> next_improvement_;  // not before; set where the last could not be run
  bool makeshift_ = false;                             // what serves was chosen since it was loaded soonest
  bool planless_ = false;                              // no plan fitted when it was last asked for
  std::string refusal_;  // why a machine is left out that is there, for who asks why no plan fits
  std::uint64_t next_pipeline_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  // All below is guarded by mutex_; blueprint_ is written by the thread above alone.
  std::uint64_t serving_ = 0;  // pipeline of the generation that serves; 0: none
  Blueprint blueprint_;        // of that one, or of the one that served last
  std::shared_ptr<Generation> candidate_;
  std::set<std::string> candidate_machines_;
  bool changed_ = false;  // machines have come or gone, or become slow
  bool broken_ = false;   // the generation that serves has lost something
  std::string suspect_;   // the machine that it lost
  std::string trouble_;
  bool stopping_ = false;
  std::thread thread_;

  // The first to go: generations tell what is above of their end.
  Dispatcher dispatcher_;
};

Supervisor::Supervisor(Signature signature, SupervisorOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(signature), std::move(options))) {}

Supervisor::~Supervisor() = default;

void Supervisor::start(const Blueprint& first) { implementation_->start(first); }
void Supervisor::start() { implementation_->start(); }

bool Supervisor::wait_until_serving(std::chrono::milliseconds limit) const {
  return implementation_->dispatcher().wait_until_serving(limit);
}

double Supervisor::rows_per_second() const { return implementation_->dispatcher().rows_per_second(); }

void Supervisor::unload() { implementation_->unload(); }

const Signature& Supervisor::signature() const { return implementation_->dispatcher().signature(); }

std::uint64_t Supervisor::predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
  return implementation_->dispatcher().predict(std::move(inputs), deadline, done);
}

void Supervisor::cancel(std::uint64_t request) { implementation_->dispatcher().cancel(request); }

PipelineStatus Supervisor::connect() { return status(); }
PipelineStatus Supervisor::activate() { return status(); }
PipelineStatus Supervisor::status() const { return implementation_->status(); }

PipelineStatus Supervisor::check() {
  if (const auto generation = implementation_->dispatcher().serving()) generation->check();
  return status();
}

}  // namespace lamina
