#include "cluster/supervisor.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/log.h"
#include "cluster/dispatcher.h"
#include "cluster/generations.h"
#include "cluster/machines.h"
#include "cluster/recovery_history.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <utility>

namespace lamina {

namespace {

constexpr std::chrono::milliseconds kBetweenAttempts{50};
constexpr std::chrono::seconds kBetweenImprovements{1};
constexpr std::chrono::hours kIdle{1};

}  // namespace

class Supervisor::Implementation {
 public:
  Implementation(Signature signature, SupervisorOptions options)
      : options_(std::move(options)),
        generations_(options_.head, machines_, dispatcher_, history_, [this] { note_change(); }),
        machines_(options_.machines, options_.find,
                  {.heartbeat = options_.head.heartbeat, .tls = options_.head.tls}, options_.stragglers,
                  [this] { note_change(); }),
        dispatcher_(std::move(signature), options_.head.max_in_flight, options_.most_turns,
                    [this](std::uint64_t pipeline, const Error& error) {
                      generations_.note_loss(pipeline, "", error);
                    }),
        choice_(options_.plan, options_.stopgap) {}

  ~Implementation() {
    stop();
    generations_.retire();
  }

  void start(const Blueprint& first) {
    watch_machines();
    if (!machines_.wait_for(machines_of(first), options_.first_look)) {
      spdlog::warn("not all machines of the plan answer");
      if (options_.may_miss) {
        begin_with_those_there();
        return;
      }
    }
    try {
      generations_.start(first);
    } catch (const Error& error) {
      // A connection may fail once for no reason; a machine that is gone stays so.
      if (error.code() != ErrorCode::unavailable) throw;
      spdlog::warn("trying once more: {}", error.what());
      std::this_thread::sleep_for(kBetweenAttempts);
      generations_.start(first);
    }
    choice_.begin_with({machines_.present(), {}});
    thread_ = std::thread([this] { run(); });
  }

  void start() {
    watch_machines();
    begin_with_those_there();
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      wake_.notify_all();
    }
    generations_.stop();
    machines_.stop();
    if (thread_.joinable()) thread_.join();
  }

  void unload() {
    stop();
    if (const std::shared_ptr<Generation> generation = dispatcher_.serving()) generation->unload();
  }

  Dispatcher& dispatcher() { return dispatcher_; }
  const Dispatcher& dispatcher() const { return dispatcher_; }

  PipelineStatus status() const {
    PipelineStatus status;
    dispatcher_.count(status);
    status.recovery = history_.status();
    status.recovery->requests_resent = dispatcher_.resent();
    generations_.describe(status);
    return status;
  }

 private:
  void watch_machines() {
    machines_.start();
    machines_.wait_for_first_look(options_.first_look);
  }

  void begin_with_those_there() {
    history_.begin("nothing served yet", 0);
    thread_ = std::thread([this] { run(); });
  }

  // Machines have come or gone or become slow, or what serves has lost something.
  void note_change() {
    look_again();
    generations_.note_machines();
  }

  void look_again() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    wake_.notify_all();
  }

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  // --- the thread that keeps a plan running ---

  void run() {
    while (true) {
      {
        const Clock::time_point next = next_turn(Clock::now());
        std::unique_lock lock(mutex_);
        wake_.wait_until(lock, next, [this] { return stopping_ || changed_; });
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

  // When to look again though nothing happened.
  Clock::time_point next_turn(Clock::time_point now) const {
    const Clock::time_point next = machines_.next_change().value_or(now + kIdle);
    if (generations_.serves()) return next_improvement_ ? std::min(next, *next_improvement_) : next;
    if (!planless_) return std::min(next, now + kBetweenAttempts);
    return dispatcher_.is_refusing() ? next : std::min(next, *no_plan_since_ + options_.patience);
  }

  void adapt() {
    const std::set<std::string> present = machines_.count_failures();
    history_.set_machines(machines_.absent(), machines_.slow());
    if (is_whole(present)) {
      improve();
    } else {
      recover();
    }
  }

  bool is_whole(const std::set<std::string>& present) const {
    return generations_.serves() && !generations_.is_broken() &&
           std::ranges::includes(present, machines_of(generations_.blueprint()));
  }

  void recover() {
    const std::set<std::string> used = machines_of(generations_.blueprint());
    if (const std::optional<std::string> suspect = generations_.retire()) machines_.find_out(used, *suspect);
    note_lost(used);
    const Conditions conditions = machines_.conditions();
    Blueprint next;
    try {
      next = choice_.after_loss(conditions, generations_.blueprint());
    } catch (const Error& error) {
      wait_for_machines(error);
      return;
    }
    const double planned = history_.seconds();
    planless_ = false;
    history_.set_state("recovering");
    if (!settle(generations_.replace(next))) return;
    spdlog::info("serving again after {:.3f} s, of which {:.3f} s until there was a plan",
                 history_.end(dispatcher_.resent()), planned);
    generations_.tidy(conditions.machines);
  }

  void note_lost(const std::set<std::string>& used) {
    std::set<std::string> lost = machines_.absent();
    std::erase_if(lost, [&](const std::string& name) { return !used.contains(name); });
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
    generations_.set_trouble(what);
    if (dispatcher_.is_refusing() || Clock::now() >= *no_plan_since_ + options_.patience)
      dispatcher_.refuse(Error(ErrorCode::unavailable, what));
  }

  // Another plan may be better now.
  void improve() {
    if (next_improvement_ && Clock::now() < *next_improvement_) return;
    next_improvement_.reset();
    if (choice_.is_planning()) {
      next_improvement_ = Clock::now() + kBetweenImprovements;
      return;
    }
    const Conditions conditions = machines_.conditions();
    const auto when = std::chrono::system_clock::now();
    const std::optional<PlanChoice::Improvement> better =
        choice_.improve(conditions, generations_.blueprint().name,
                        [this] { return is_stopping() || !is_whole(machines_.present()); });
    if (!better) return;
    const std::uint64_t resent = dispatcher_.resent();
    if (!settle(generations_.follow(better->blueprint))) {
      // What was in the way may be over soon: what served was lost, or a machine was started again meanwhile.
      choice_.take_back();
      if (!generations_.is_broken()) next_improvement_ = Clock::now() + kBetweenImprovements;
      return;
    }
    history_.add_change(when, better->reason, resent, dispatcher_.resent());
    spdlog::info("another plan serves, since {}", better->reason);
    generations_.tidy(conditions.machines);
  }

  // After a plan was tried out: whether it serves. Where it could not be run, the machines at fault are left
  // out for a while.
  bool settle(const std::optional<Refusal>& refusal) {
    look_again();  // another plan may fit, or be better, by now
    if (!refusal) {
      refusal_.clear();
      no_plan_since_.reset();
      return true;
    }
    for (const std::string& worker : refusal->workers) {
      if (!is_stopping() && machines_.note_refusal(worker))
        refusal_ = fmt::format("; the last plan could not be run: {}", refusal->error.what());
    }
    return false;
  }

  const SupervisorOptions options_;

  // Of the thread that keeps a plan running alone.
  std::optional<Clock::time_point> no_plan_since_;
  std::optional<Clock::time_point> next_improvement_;  // not before; set where the last could not be run
  bool planless_ = false;                              // no plan fitted when it was last asked for
  std::string refusal_;  // why a machine is left out that is there, for who asks why no plan fits

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  bool changed_ = false;   // there is something to look at; guarded by mutex_
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_;

  // In this order, since each tells what is above of what happens, or asks it: the first to go is the last.
  RecoveryHistory history_;
  Generations generations_;
  Machines machines_;
  Dispatcher dispatcher_;
  PlanChoice choice_;  // of the thread that keeps a plan running
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
