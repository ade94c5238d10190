#include "cluster/supervisor.h"

#include "base/error.h"
#include "base/log.h"
#include "cluster/answer_port.h"
#include "cluster/generation.h"
#include "cluster/pipeline_number.h"
#include "cluster/place.h"
#include "cluster/request_table.h"
#include "cluster/trust.h"
#include "cluster/worker_client.h"

#include <algorithm>
#include <condition_variable>
#include <exception>
#include <mutex>
#include <optional>
#include <thread>
#include <utility>

#include <fmt/ranges.h>

namespace lamina {

namespace {

constexpr std::chrono::seconds kFirstLook{10};
constexpr std::chrono::seconds kDrainLimit{5};
constexpr std::chrono::milliseconds kDrainPoll{5};
constexpr std::chrono::milliseconds kBetweenAttempts{50};
constexpr std::chrono::milliseconds kTidyLimit{500};
constexpr std::chrono::hours kIdle{1};
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

// What changed between the two, for people.
std::string reason_of_change(const Conditions& before, const Conditions& now) {
  std::vector<std::string> reasons;
  for (const std::string& name : now.machines) {
    if (!before.machines.contains(name)) reasons.push_back(fmt::format("'{}' is there again", name));
  }
  for (const std::string& name : before.machines) {
    if (!now.machines.contains(name)) reasons.push_back(fmt::format("'{}' is left out", name));
  }
  for (const auto& [name, times] : now.slowness) {
    const auto known = before.slowness.find(name);
    if (known == before.slowness.end() || known->second != times)
      reasons.push_back(fmt::format("'{}' takes {:.1f} times as long as planned", name, times));
  }
  for (const auto& [name, times] : before.slowness) {
    if (!now.slowness.contains(name))
      reasons.push_back(fmt::format("'{}' is to be as fast as planned again", name));
  }
  return fmt::format("{}", fmt::join(reasons, ", "));
}

// Whether the request may do better in another generation.
bool is_loss(const Error& error) {
  return error.code() == ErrorCode::unavailable || error.code() == ErrorCode::cancelled;
}

}  // namespace

class Supervisor::Implementation {
 public:
  Implementation(Signature signature, SupervisorOptions options)
      : signature_(std::move(signature)),
        options_(std::move(options)),
        answers_(options_.head.listen, options_.head.tls, options_.head.max_frame_bytes),
        stragglers_(options_.stragglers),
        requests_(options_.head.max_in_flight, [this](std::uint64_t request) { forget(request); }),
        next_pipeline_(new_pipeline_number()) {}

  ~Implementation() {
    stop();
    membership_.reset();
    requests_.close();
    retire();
  }

  // --- requests ---

  std::uint64_t predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
    std::uint64_t number = 0;
    try {
      check_inputs(signature_, inputs);
      {
        const std::lock_guard lock(mutex_);
        if (refusing_) fail(ErrorCode::unavailable, "{}", trouble_);
      }
      number = requests_.add(std::move(inputs), deadline, done).number;
    } catch (const Error& error) {
      requests_.refuse(std::move(done), error);
      return 0;
    }
    send({number});
    return number;
  }

  void cancel(std::uint64_t request) {
    const Error error(ErrorCode::cancelled, "the request was cancelled");
    if (requests_.answer(request, {{}, error})) forget(request);
  }

  // --- life ---

  void start(const Blueprint& first) {
    watch_machines();
    std::shared_ptr<Generation> generation = make(first);
    generation->start();
    install(first, std::move(generation));
    considered_ = {membership_->present(), {}};
    thread_ = std::thread([this] { run(); });
  }

  void start() {
    watch_machines();
    lost_since_ = Clock::now();
    thread_ = std::thread([this] { run(); });
  }

  bool wait_until_serving(std::chrono::milliseconds limit) const {
    std::unique_lock lock(mutex_);
    return installed_.wait_for(lock, limit, [this] { return current_ != nullptr; });
  }

  void stop() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
      if (candidate_) candidate_->abandon();
      wake_.notify_all();
    }
    if (membership_) membership_->stop();
    if (thread_.joinable()) thread_.join();
  }

  void unload() {
    stop();
    if (const std::shared_ptr<Generation> generation = current()) generation->unload();
  }

  // --- state ---

  const Signature& signature() const { return signature_; }

  std::shared_ptr<Generation> current() const {
    const std::lock_guard lock(mutex_);
    return current_;
  }

  PipelineStatus status() const {
    PipelineStatus status;
    requests_.count(status);
    const std::lock_guard lock(mutex_);
    status.model = blueprint_.options.model;
    status.predicted_latency = blueprint_.options.predicted_latency;
    status.recovery = recovery_;
    if (current_) {
      status.stages = current_->stages();
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
  // --- requests ---

  // Hands requests to the generation that serves, where there is one.
  void send(const std::vector<std::uint64_t>& numbers) {
    std::vector<std::uint64_t> refused;
    {
      const std::lock_guard lock(mutex_);
      if (!current_) return;
      for (const std::uint64_t number : numbers) {
        std::optional<Request> request = requests_.hand_to(current_->pipeline(), number);
        if (!request) continue;
        if (requests_.turns(number) > 1) ++recovery_.requests_resent;
        if (!current_->send(std::move(*request))) refused.push_back(number);
      }
    }
    const Error error(ErrorCode::resource_exhausted, "too many requests wait to be sent");
    for (const std::uint64_t number : refused) requests_.answer(number, {{}, error});
  }

  void forget(std::uint64_t request) {
    const std::lock_guard lock(mutex_);
    if (current_) current_->cancel(request);
  }

  void receive(std::uint64_t pipeline, std::uint64_t request, Prediction prediction) {
    if (prediction.error && is_loss(*prediction.error) && requests_.is_with(pipeline, request)) {
      const Error error = *prediction.error;
      note_loss(pipeline, "", error);
      if (requests_.turns(request) < options_.most_turns) return;  // it stays in the table
      prediction.error = Error(ErrorCode::unavailable, fmt::format("given up after {} attempts: {}",
                                                                   options_.most_turns, error.what()));
    }
    requests_.answer_from(pipeline, request, std::move(prediction));
  }

  // --- machines ---

  void watch_machines() {
    membership_ = std::make_unique<Membership>(
        options_.machines, options_.find,
        MembershipOptions{.heartbeat = options_.head.heartbeat, .tls = options_.head.tls},
        [this] { note_change(); });
    membership_->wait_for_first_look(kFirstLook);
  }

  void note_change() {
    const std::lock_guard lock(mutex_);
    changed_ = true;
    // Nobody waits for a machine that is gone to load its stage.
    if (candidate_ && !includes(membership_present_locked(), candidate_machines_)) candidate_->abandon();
    wake_.notify_all();
  }

  std::set<std::string> membership_present_locked() const {
    return membership_ ? membership_->present() : std::set<std::string>{};
  }

  void note_loss(std::uint64_t pipeline, const std::string& worker, const Error& error) {
    const std::lock_guard lock(mutex_);
    if (candidate_ && candidate_->pipeline() == pipeline) candidate_->abandon();
    if (!current_ || current_->pipeline() != pipeline) return;
    if (!lost_since_) {
      lost_since_ = Clock::now();
      trouble_ = error.what();
      loss_ = trouble_;
    }
    if (!worker.empty()) suspect_ = worker;
    broken_ = true;
    wake_.notify_all();
  }

  void note_run(std::uint64_t pipeline, const std::string& worker, double seconds, double expected) {
    {
      const std::lock_guard lock(mutex_);
      // While stages are loaded everything is slow.
      if (candidate_ || !current_ || current_->pipeline() != pipeline) return;
    }
    const std::optional<double> times = stragglers_.note(worker, seconds, expected, Clock::now());
    if (!times) return;
    spdlog::warn("machine '{}' takes {:.1f} times as long as planned", worker, *times);
    const std::lock_guard lock(mutex_);
    changed_ = true;
    wake_.notify_all();
  }

  // --- the thread that keeps a plan running ---

  void run() {
    while (true) {
      {
        std::unique_lock lock(mutex_);
        const Clock::time_point now = Clock::now();
        wake_.wait_until(lock, next_turn(now), [this] { return stopping_ || changed_ || broken_; });
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
    const Clock::time_point next = std::min(trust_.next_change(now).value_or(now + kIdle),
                                            stragglers_.next_change(now).value_or(now + kIdle));
    if (current_) return next;
    if (!no_plan_since_) return std::min(next, now + kBetweenAttempts);
    return refusing_ ? next : std::min(next, *no_plan_since_ + options_.patience);
  }

  void adapt() {
    for (const auto& name : membership_->absent()) {
      if (known_present_.erase(name) > 0) trust_.note_failure(name, Clock::now());
    }
    known_present_ = membership_->present();
    update_machines();
    bool whole = false;
    {
      const std::lock_guard lock(mutex_);
      whole = current_ && !broken_ && includes(known_present_, machines_of(blueprint_));
    }
    if (whole) {
      improve();
    } else {
      recover();
    }
  }

  std::set<std::string> usable() const {
    std::set<std::string> machines;
    for (const std::string& name : membership_->present()) {
      if (trust_.is_trusted(name, Clock::now())) machines.insert(name);
    }
    return machines;
  }

  void update_machines() {
    const std::set<std::string> absent = membership_->absent();
    const Slowness slow = stragglers_.slow(Clock::now());
    const std::lock_guard lock(mutex_);
    recovery_.lost.assign(absent.begin(), absent.end());
    for (const auto& [name, times] : recovery_.slow) {
      if (!slow.contains(name)) spdlog::info("machine '{}' is taken to be as fast as planned again", name);
    }
    recovery_.slow = slow;
  }

  void recover() {
    std::string suspect;
    {
      const std::lock_guard lock(mutex_);
      if (!lost_since_) lost_since_ = Clock::now();
      suspect = std::exchange(suspect_, "");
      broken_ = false;
      recovery_.state = "recovering";
    }
    const bool was_serving = retire();
    if (was_serving) find_out(suspect);
    const Conditions conditions = conditions_now();
    Blueprint blueprint;
    note_recovery();
    try {
      // Machines that are all still there have lost no more than a connection.
      if (!blueprint_.stages.empty() && includes(conditions.machines, machines_of(blueprint_))) {
        blueprint = blueprint_;
      } else {
        blueprint = options_.plan(conditions, "");
        considered_ = conditions;
      }
    } catch (const Error& error) {
      wait_for_machines(error);
      return;
    }
    const double planned = seconds_since_loss();
    {
      const std::lock_guard lock(mutex_);
      no_plan_since_.reset();
    }
    if (!try_out(blueprint, Room::make)) return;
    tidy(conditions.machines);
    const std::lock_guard lock(mutex_);
    ++recovery_.recoveries;
    recovering_->seconds = seconds_since(*lost_since_);
    recovery_.last_seconds = recovering_->seconds;
    recovery_.seconds += recovering_->seconds;
    lost_since_.reset();
    changed_ = true;  // another plan may be better by now
    spdlog::info("serving again after {:.3f} s, of which {:.3f} s until there was a plan",
                 recovery_.last_seconds, planned);
    keep(*std::exchange(recovering_, std::nullopt));
  }

  Conditions conditions_now() { return {usable(), stragglers_.slow(Clock::now())}; }

  // What the recovery that is under way has lost so far.
  void note_recovery() {
    const std::set<std::string> absent = membership_->absent();
    const std::lock_guard lock(mutex_);
    if (!recovering_) {
      recovering_.emplace();
      recovering_->when =
          std::chrono::system_clock::now() -
          std::chrono::duration_cast<std::chrono::system_clock::duration>(Clock::now() - *lost_since_);
      recovering_->requests_resent = recovery_.requests_resent;
    }
    std::set<std::string> lost(recovering_->lost.begin(), recovering_->lost.end());
    for (const std::string& name : machines_of(blueprint_)) {
      if (absent.contains(name)) lost.insert(name);
    }
    recovering_->lost.assign(lost.begin(), lost.end());
    if (recovering_->reason.empty()) recovering_->reason = loss_;
    if (recovering_->reason.empty())
      recovering_->reason = lost.empty() ? "nothing served yet" : fmt::format("'{}' is gone", *lost.begin());
  }

  // Called with the lock.
  void keep(Recovery recovery) {
    recovery.requests_resent = recovery_.requests_resent - recovery.requests_resent;
    recovery_.last.push_back(std::move(recovery));
    if (recovery_.last.size() > kMostRecoveries) recovery_.last.erase(recovery_.last.begin());
  }

  double seconds_since_loss() const {
    const std::lock_guard lock(mutex_);
    return lost_since_ ? seconds_since(*lost_since_) : 0;
  }

  // Which machines of the last plan are still there.
  void find_out(const std::string& suspect) {
    std::set<std::string> machines = machines_of(blueprint_);
    if (!suspect.empty() && membership_->look(suspect)) trust_.note_blip(suspect, Clock::now());
    machines.erase(suspect);
    for (const std::string& name : machines) membership_->look(name);
  }

  void wait_for_machines(const Error& error) {
    std::string what = fmt::format("no plan fits the machines that are left: {}", error.what());
    bool refuse = false;
    {
      const std::lock_guard lock(mutex_);
      if (!no_plan_since_) {
        no_plan_since_ = Clock::now();
        spdlog::error("{}", what);
      }
      trouble_ = what;
      recovery_.state = what;
      refusing_ = refusing_ || Clock::now() >= *no_plan_since_ + options_.patience;
      refuse = refusing_;
    }
    if (refuse) requests_.fail_all(Error(ErrorCode::unavailable, what));
  }

  // Loads and connects a plan and serves it. False where it could not be: the machines at fault are left out
  // for a while.
  bool try_out(const Blueprint& blueprint, Room room) {
    std::shared_ptr<Generation> generation = make(blueprint);
    {
      const std::lock_guard lock(mutex_);
      candidate_ = generation;
      candidate_machines_ = machines_of(blueprint);
      if (stopping_) candidate_->abandon();
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
    }
    if (!failed) {
      install(blueprint, std::move(generation));
      return true;
    }
    spdlog::warn("a plan can't be run: {}", failed->what());
    for (const StageStatus& stage : generation->stages()) {
      if (!stage.error.empty() && !is_stopping() && membership_->look(stage.worker) &&
          failed->code() != ErrorCode::cancelled)
        trust_.note_refusal(stage.worker, Clock::now());
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

  bool is_stopping() const {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  std::shared_ptr<Generation> make(Blueprint blueprint) {
    for (HeadStage& stage : blueprint.stages) {
      for (HeadReplica& replica : stage.replicas) {
        replica.address = membership_->address(replica.worker);
        if (replica.address.empty())
          fail(ErrorCode::unavailable, "the machine '{}' does not answer", replica.worker);
      }
    }
    HeadOptions options = combine(options_.head, blueprint.options);
    const std::uint64_t pipeline = next_pipeline_++;
    GenerationEvents events{
        .answered = [this, pipeline](
                        std::uint64_t request,
                        Prediction prediction) { receive(pipeline, request, std::move(prediction)); },
        .wanted = [this, pipeline](std::uint64_t request) { return requests_.is_with(pipeline, request); },
        .ran = [this, pipeline](const std::string& worker, double seconds,
                                double expected) { note_run(pipeline, worker, seconds, expected); },
        .lost = [this, pipeline](const std::string& worker,
                                 const Error& error) { note_loss(pipeline, worker, error); },
    };
    return std::make_shared<Generation>(signature_, std::move(blueprint.stages), std::move(options), pipeline,
                                        answers_, std::move(events));
  }

  // Serves it: requests that wait or were lost are sent. Those that another generation has may still come
  // from there.
  void install(const Blueprint& blueprint, std::shared_ptr<Generation> generation) {
    std::shared_ptr<Generation> old;
    {
      const std::lock_guard lock(mutex_);
      old = std::exchange(current_, std::move(generation));
      blueprint_ = blueprint;
      broken_ = false;
      suspect_.clear();
      refusing_ = false;
      no_plan_since_.reset();
      trouble_.clear();
      loss_.clear();
      recovery_.state = "serving";
      installed_.notify_all();
    }
    stragglers_.begin_anew();
    std::vector<std::uint64_t> numbers = requests_.numbers();
    if (old)
      std::erase_if(numbers, [&](std::uint64_t one) { return requests_.is_with(old->pipeline(), one); });
    send(numbers);
  }

  // Ends the generation that served; its requests stay in the table. Whether there was one.
  bool retire() {
    std::shared_ptr<Generation> old;
    {
      const std::lock_guard lock(mutex_);
      old = std::exchange(current_, nullptr);
    }
    return old != nullptr;
  }

  // Frees what machines have of plans that are over.
  void tidy(const std::set<std::string>& machines) {
    const std::shared_ptr<Generation> now = current();
    if (!now) return;
    now->keep_only_this();
    const std::set<std::string> used = machines_of(blueprint_);
    for (const std::string& name : machines) {
      if (used.contains(name)) continue;
      try {
        WorkerClient(membership_->address(name), options_.head.tls).keep({}, {}, kTidyLimit);
      } catch (const Error& error) {
        spdlog::debug("machine '{}' can't be tidied: {}", name, error.what());
      }
    }
  }

  // Another plan may be better now: the new stages are loaded beside the old ones, then requests go there.
  void improve() {
    const Conditions conditions = conditions_now();
    if (conditions == considered_) return;
    const bool same_machines = conditions.machines == considered_.machines;
    Recovery change;
    change.when = std::chrono::system_clock::now();
    change.reason = reason_of_change(considered_, conditions);
    considered_ = conditions;
    Blueprint blueprint;
    try {
      blueprint = options_.plan(conditions, blueprint_.name);
    } catch (const Error& error) {
      spdlog::info("no other plan, though {}: {}", change.reason, error.what());
      return;
    }
    if (blueprint.name == blueprint_.name) return;
    if (same_machines && blueprint.gain < kClearGain) {
      spdlog::info("the plan stays, though {}: another would save {:.0f} %", change.reason,
                   100 * std::max(blueprint.gain, 0.0));
      return;
    }
    const std::shared_ptr<Generation> old = current();
    {
      const std::lock_guard lock(mutex_);
      change.requests_resent = recovery_.requests_resent;
    }
    if (!try_out(blueprint, Room::beside)) return;
    const Deadline deadline(kDrainLimit);
    while (requests_.count_with(old->pipeline()) > 0 && !deadline.passed() && old->ready())
      std::this_thread::sleep_for(kDrainPoll);
    send(requests_.numbers());
    tidy(conditions.machines);
    spdlog::info("another plan serves, since {}", change.reason);
    const std::lock_guard lock(mutex_);
    ++recovery_.replans;
    keep(std::move(change));
  }

  const Signature signature_;
  const SupervisorOptions options_;
  AnswerPort answers_;
  Stragglers stragglers_;
  RequestTable requests_;
  std::unique_ptr<Membership> membership_;

  // Of the thread that keeps a plan running alone.
  Trust trust_;
  std::set<std::string> known_present_;
  Conditions considered_;               // that a plan was last made for
  std::optional<Recovery> recovering_;  // that is under way; requests_resent: those of before
  std::uint64_t next_pipeline_;

  mutable std::mutex mutex_;
  std::condition_variable wake_;
  mutable std::condition_variable installed_;
  // All below is guarded by mutex_; blueprint_ is written by the thread above alone.
  std::shared_ptr<Generation> current_;  // none while nothing serves
  Blueprint blueprint_;                  // of the generation that serves or served last
  std::shared_ptr<Generation> candidate_;
  std::set<std::string> candidate_machines_;
  bool changed_ = false;  // machines have come or gone
  bool broken_ = false;   // the generation that serves has lost something
  std::string suspect_;   // the machine that it lost
  std::optional<Clock::time_point> lost_since_;
  std::optional<Clock::time_point> no_plan_since_;
  bool refusing_ = false;
  std::string trouble_;
  std::string loss_;  // the first since it served
  RecoveryStatus recovery_;
  bool stopping_ = false;
  std::thread thread_;
};

Supervisor::Supervisor(Signature signature, SupervisorOptions options)
    : implementation_(std::make_unique<Implementation>(std::move(signature), std::move(options))) {}

Supervisor::~Supervisor() = default;

void Supervisor::start(const Blueprint& first) { implementation_->start(first); }
void Supervisor::start() { implementation_->start(); }

bool Supervisor::wait_until_serving(std::chrono::milliseconds limit) const {
  return implementation_->wait_until_serving(limit);
}

void Supervisor::unload() { implementation_->unload(); }

const Signature& Supervisor::signature() const { return implementation_->signature(); }

std::uint64_t Supervisor::predict(std::vector<Tensor> inputs, Deadline deadline, Callback done) {
  return implementation_->predict(std::move(inputs), deadline, std::move(done));
}

void Supervisor::cancel(std::uint64_t request) { implementation_->cancel(request); }

PipelineStatus Supervisor::connect() { return status(); }
PipelineStatus Supervisor::activate() { return status(); }
PipelineStatus Supervisor::status() const { return implementation_->status(); }

PipelineStatus Supervisor::check() {
  if (const auto generation = implementation_->current()) generation->check();
  return status();
}

}  // namespace lamina
