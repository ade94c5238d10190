// A supervisor and workers in one process, over connections of the loopback that tests break.
#include "cluster/supervisor.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/fake_engine.h"
#include "cluster/worker_server.h"
#include "graph/serialize.h"
#include "slice/cuts.h"
#include "support/tcp_proxy.h"

#include <algorithm>
#include <atomic>
#include <deque>
#include <functional>
#include <future>
#include <iterator>
#include <map>
#include <memory>
#include <mutex>
#include <numeric>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr milliseconds kBeat{100};
constexpr seconds kLimit{30};

// Runs take so much longer as the test says.
class SlowedExecutable : public Executable {
 public:
  SlowedExecutable(std::unique_ptr<Executable> wrapped, const std::atomic<int>& milliseconds_more)
      : wrapped_(std::move(wrapped)), milliseconds_more_(milliseconds_more) {}
  std::vector<Tensor> run(std::span<const Tensor> inputs) override {
    std::this_thread::sleep_for(milliseconds(milliseconds_more_));
    return wrapped_->run(inputs);
  }
  MemoryUse memory() const override { return wrapped_->memory(); }

 private:
  const std::unique_ptr<Executable> wrapped_;
  const std::atomic<int>& milliseconds_more_;
};

// Compiling takes as long as the test says, or fails.
class FaultyEngine : public FakeEngine {
 public:
  std::unique_ptr<Executable> compile(const Graph& graph, const CompileOptions& options) override {
    ++compiled;
    if (refuses) fail(ErrorCode::io, "no space left on device");
    const Deadline deadline(slow ? Clock::duration(seconds(5)) : Clock::duration(0));
    while (slow && !deadline.passed()) std::this_thread::sleep_for(milliseconds(5));
    return std::make_unique<SlowedExecutable>(FakeEngine::compile(graph, options), milliseconds_more);
  }
  std::atomic<bool> slow = false;
  std::atomic<bool> refuses = false;
  std::atomic<int> compiled = 0;
  std::atomic<int> milliseconds_more = 0;
};

// A worker behind a proxy.
struct Machine {
  std::string name;
  std::filesystem::path store;
  std::shared_ptr<FaultyEngine> engine = std::make_shared<FaultyEngine>();
  std::unique_ptr<WorkerServer> server;
  std::unique_ptr<TcpProxy> way;

  void start() {
    WorkerOptions options;
    options.name = name;
    options.store = store;
    options.loaded_engine = engine;
    server = std::make_unique<WorkerServer>(options);
    way = std::make_unique<TcpProxy>(server->address());
  }
  void kill() {
    way->cut();
    way.reset();
    server.reset();
  }
};

class Recovery : public testing::Test {
 protected:
  // Four steps y = (x + 1) · 2, of the class given, shared out evenly over the machines that are there.
  void start(std::size_t machines, const std::string& kind = "Step", std::size_t least = 1) {
    least_ = least;
    for (std::size_t i = 0; i < kSteps; ++i) classes_.push_back(i == 1 ? kind : "Step");
    graph_ = make_graph();
    for (std::size_t i = 0; i < machines; ++i) {
      Machine& machine = machines_.emplace_back();
      machine.name = "m" + std::to_string(i);
      machine.store = directory_.path() / machine.name;
      machine.start();
    }
    SupervisorOptions options;
    options.head.heartbeat = {kBeat, 3};
    options.head.max_in_flight = 1000;
    options.patience = milliseconds(500);
    for (const Machine& machine : machines_) options.machines.push_back(machine.name);
    options.find = [this](const std::string& name) {
      const std::lock_guard lock(mutex_);
      for (const Machine& machine : machines_) {
        if (machine.name == name) return machine.way ? machine.way->address() : std::string();
      }
      return std::string();
    };
    options.plan = [this](const Conditions& conditions, const std::string& serving) {
      if (!serving.empty()) think_();
      return plan(conditions, serving);
    };
    if (with_stopgaps_) {
      options.stopgap = [this](const Conditions& conditions, const std::string& lost) {
        return stopgap(conditions, lost);
      };
    }
    options.may_miss = may_miss_;
    options.first_look = first_look_;
    options.stragglers = stragglers_;
    const std::set<std::string> all(options.machines.begin(), options.machines.end());
    supervisor_ = std::make_unique<Supervisor>(signature_of(graph_), options);
    before_start_();
    supervisor_->start(plan({all}, ""));
  }

  // Of three machines the second was lost and is there again: the plan of all three is being loaded, slowly
  // on the first.
  void start_with_one_that_returns() {
    start(3, "Brief");
    under_load([&] { kill(1); });
    wait_for_stages(2);
    machines_[0].engine->slow = true;
    const int before = machines_[0].engine->compiled;
    revive(1);
    wait_until([&](const PipelineStatus&) { return machines_[0].engine->compiled > before; }, "loading");
  }

  Graph make_graph() const {
    Graph graph("steps");
    ValueId y = graph.add_input("x", {DType::f32, {kBatch, 4}});
    const ValueId one = graph.add_weight("one", Tensor::scalar(1), Weight::Role::trainable);
    const ValueId two = graph.add_weight("two", Tensor::scalar(2), Weight::Role::trainable);
    for (std::size_t i = 0; i < kSteps; ++i) {
      graph.begin_layer("step" + std::to_string(i), classes_[i]);
      y = graph.add("multiply", {graph.add("add", {y, one}), two});
    }
    graph.add_output("y", y);
    return graph;
  }

  // Without the machines that are slow, where others are left; that saves as much as the test says.
  Blueprint plan(const Conditions& conditions, const std::string& serving) {
    ++plans_;
    if (conditions.machines.size() < least_)
      fail(ErrorCode::out_of_memory, "{} machines are too few", conditions.machines.size());
    std::vector<std::string> order(conditions.machines.begin(), conditions.machines.end());
    std::erase_if(order, [&](const std::string& name) { return conditions.slowness.contains(name); });
    if (order.empty()) order.assign(conditions.machines.begin(), conditions.machines.end());
    order.resize(std::min(order.size(), kSteps));
    Blueprint blueprint = on(order);
    if (!serving.empty() && serving != blueprint.name) blueprint.gain = gain_;
    return blueprint;
  }

  // So many stages, one after another on these machines.
  Blueprint on(const std::vector<std::string>& order) const {
    const std::vector<Cut> cuts = find_cuts(graph_);
    Blueprint blueprint;
    for (std::size_t i = 0; i < order.size(); ++i) {
      HeadStage stage;
      stage.name = "part" + std::to_string(i);
      stage.replicas.push_back({order[i], "", 1, expected_seconds_});
      stage.graph = extract_stage(graph_, cuts, i * kSteps / order.size(), (i + 1) * kSteps / order.size());
      for (const Weight& weight : stage.graph.weights()) stage.hashes.push_back(content_hash(weight.data));
      blueprint.name += order[i] + " ";
      blueprint.stages.push_back(std::move(stage));
    }
    return blueprint;
  }

  // The same stages, those of machines that are gone on the first of the others.
  std::optional<Blueprint> stopgap(const Conditions& conditions, const std::string& lost) const {
    std::istringstream names(lost);
    std::vector<std::string> order(std::istream_iterator<std::string>(names), {});
    for (std::string& name : order) {
      if (!conditions.machines.contains(name)) name = *conditions.machines.begin();
    }
    return on(order);
  }

  void kill(std::size_t i) {
    const std::lock_guard lock(mutex_);
    machines_[i].kill();
  }
  void revive(std::size_t i) {
    const std::lock_guard lock(mutex_);
    machines_[i].start();
  }

  // A request whose answer is checked where it is asked for.
  struct Sent {
    float x = 0;
    std::future<Prediction> answer;
  };
  Sent send(float x, milliseconds limit = kLimit) {
    auto promise = std::make_shared<std::promise<Prediction>>();
    Sent sent{x, promise->get_future()};
    const std::vector<float> values(4, x);
    supervisor_->predict({Tensor::of({1, 4}, values)}, Deadline(limit),
                         [promise](Prediction prediction) { promise->set_value(std::move(prediction)); });
    return sent;
  }
  static void expect_answer(Sent sent) {
    ASSERT_EQ(sent.answer.wait_for(kLimit + seconds(5)), std::future_status::ready);
    const Prediction prediction = sent.answer.get();
    ASSERT_FALSE(prediction.error) << prediction.error->what();
    float y = sent.x;
    for (std::size_t i = 0; i < kSteps; ++i) y = (y + 1) * 2;
    EXPECT_EQ(prediction.outputs.at(0).to_floats(), std::vector<float>(4, y));
  }
  static ErrorCode error_of(Sent sent) {
    if (sent.answer.wait_for(kLimit) != std::future_status::ready) return ErrorCode::internal;
    const Prediction prediction = sent.answer.get();
    return prediction.error ? prediction.error->code() : ErrorCode::internal;
  }

  void wait_until(const std::function<bool(const PipelineStatus&)>& what, const char* said) {
    const Deadline deadline(kLimit);
    while (!what(supervisor_->status())) {
      ASSERT_FALSE(deadline.passed()) << "not yet " << said;
      std::this_thread::sleep_for(milliseconds(5));
    }
  }
  static bool serves_on(const PipelineStatus& status, std::size_t stages) {
    return status.stages.size() == stages && status.recovery->state == "serving" &&
           std::all_of(status.stages.begin(), status.stages.end(),
                       [](const StageStatus& s) { return s.ready; });
  }
  void wait_for_stages(std::size_t stages) {
    wait_until([&](const PipelineStatus& status) { return serves_on(status, stages); }, "serving");
  }

  // Some requests under way while something happens; all have to be answered.
  void under_load(const std::function<void()>& fault) {
    std::vector<Sent> sent;
    for (int i = 0; i < 10; ++i) sent.push_back(send(static_cast<float>(i)));
    fault();
    for (int i = 10; i < 20; ++i) sent.push_back(send(static_cast<float>(i)));
    for (Sent& one : sent) expect_answer(std::move(one));
  }

  // Requests one after another until the status is so; all have to be answered.
  void ask_until(const std::function<bool(const PipelineStatus&)>& what, const char* said) {
    const Deadline deadline(kLimit);
    for (float x = 0; !what(supervisor_->status()); ++x) {
      ASSERT_FALSE(deadline.passed()) << "not yet " << said;
      expect_answer(send(x));
    }
  }

  static constexpr std::size_t kSteps = 4;
  double expected_seconds_ = 0;  // of each stage; 0: not known
  StragglerOptions stragglers_ = {.factor = 3, .runs = 4, .span = milliseconds(0), .pause = kLimit};
  double gain_ = 0.5;
  bool with_stopgaps_ = false;
  bool may_miss_ = false;
  milliseconds first_look_ = kLimit;
  std::function<void()> before_start_ = [] {};
  std::function<void()> think_ = [] {};  // while a better plan is looked for
  TemporaryDirectory directory_;
  std::vector<std::string> classes_;
  Graph graph_;
  std::size_t least_ = 1;
  std::atomic<int> plans_ = 0;
  std::mutex mutex_;
  std::deque<Machine> machines_;
  std::unique_ptr<Supervisor> supervisor_;
};

TEST_F(Recovery, WithoutFaultsItAnswersAndNothingIsSentTwice) {
  start(3);
  under_load([] {});
  const PipelineStatus status = supervisor_->check();
  EXPECT_EQ(status.requests_answered, 20U);
  EXPECT_EQ(status.recovery->recoveries, 0U);
  EXPECT_EQ(status.recovery->requests_resent, 0U);
  EXPECT_TRUE(serves_on(status, 3));
}

TEST_F(Recovery, AMachineThatAnswersLateIsWaitedForAtTheStart) {
  std::future<void> late;
  before_start_ = [&] {
    kill(1);
    late = std::async(std::launch::async, [this] {
      std::this_thread::sleep_for(milliseconds(400));  // longer than the strikes of its first look
      revive(1);
    });
  };
  start(3);
  EXPECT_TRUE(serves_on(supervisor_->status(), 3));
  under_load([] {});
}

TEST_F(Recovery, AMachineThatIsMissingAtTheStartIsDoneWithoutWhereItMayBe) {
  before_start_ = [&] { kill(1); };
  may_miss_ = true;
  first_look_ = milliseconds(200);
  start(3);
  wait_for_stages(2);
  under_load([] {});
  revive(1);
  wait_for_stages(3);
  under_load([] {});
}

TEST_F(Recovery, AMachineThatDiesIsDoneWithoutAndNoRequestIsLost) {
  for (std::size_t dies = 0; dies < 3; ++dies) {
    SCOPED_TRACE(dies);
    supervisor_.reset();
    machines_.clear();
    classes_.clear();
    start(3, "Brief");
    under_load([&] { kill(dies); });
    const PipelineStatus status = supervisor_->status();
    EXPECT_TRUE(serves_on(status, 2));
    EXPECT_GE(status.recovery->recoveries, 1U);
    EXPECT_EQ(status.recovery->lost, std::vector<std::string>{"m" + std::to_string(dies)});
    EXPECT_EQ(status.requests_answered, 20U);
    EXPECT_EQ(status.requests_failed, 0U);
  }
}

TEST_F(Recovery, TwoThatDieAtOnceAreDoneWithout) {
  start(3, "Brief");
  under_load([&] {
    kill(0);
    kill(2);
  });
  EXPECT_TRUE(serves_on(supervisor_->status(), 1));
}

TEST_F(Recovery, AMachineThatStandsStillIsDoneWithoutAfterTheBeatsItMayMiss) {
  start(3, "Brief");
  const Clock::time_point begin = Clock::now();
  under_load([&] { machines_[1].way->block(); });
  EXPECT_TRUE(serves_on(supervisor_->status(), 2));
  EXPECT_GE(seconds_since(begin), 0.2);
  // Its answers of before come late, and are nobody's any more.
  machines_[1].way->mend();
  wait_for_stages(3);
  under_load([] {});
}

TEST_F(Recovery, AConnectionThatBreaksForAMomentIsNoLoss) {
  start(3, "Brief");
  const int plans = plans_;
  const int compiled = machines_[1].engine->compiled;
  under_load([&] { machines_[1].way->interrupt(); });
  wait_for_stages(3);
  EXPECT_EQ(plans_, plans) << "it was planned anew";
  EXPECT_EQ(machines_[1].engine->compiled, compiled) << "the stage was loaded anew";
  EXPECT_EQ(supervisor_->status().recovery->lost.size(), 0U);
}

TEST_F(Recovery, AMachineThatComesBackIsTakenBack) {
  start(3);
  under_load([&] { kill(1); });
  wait_for_stages(2);
  under_load([&] { revive(1); });
  wait_for_stages(3);
  under_load([] {});
  wait_until([](const PipelineStatus& status) { return status.recovery->replans > 0; }, "taken back");
  EXPECT_EQ(supervisor_->status().recovery->replans, 1U);
  EXPECT_TRUE(supervisor_->status().recovery->lost.empty());
}

TEST_F(Recovery, WhereNoPlanFitsRequestsAreRefusedUntilAMachineReturns) {
  start(2, "Step", 2);
  kill(1);
  wait_until([](const PipelineStatus& status) { return status.recovery->state.starts_with("no plan fits"); },
             "without a plan");
  // Those that come early wait for a while.
  EXPECT_EQ(error_of(send(1)), ErrorCode::unavailable);
  EXPECT_EQ(error_of(send(1)), ErrorCode::unavailable);
  revive(1);
  wait_for_stages(2);
  expect_answer(send(1));
}

TEST_F(Recovery, AfterAStopgapABetterPlanIsLoaded) {
  with_stopgaps_ = true;
  start(3, "Brief");
  under_load([&] { kill(1); });
  wait_for_stages(2);
  wait_until([](const PipelineStatus& status) { return status.recovery->replans == 1; }, "planned anew");
  under_load([] {});
  const PipelineStatus status = supervisor_->status();
  EXPECT_EQ(status.recovery->recoveries, 1U);
  EXPECT_EQ(status.requests_failed, 0U);
}

TEST_F(Recovery, AStopgapKeepsWhatIsLoadedAndStaysWhereNoPlanIsClearlyBetter) {
  with_stopgaps_ = true;
  gain_ = 0.1;
  start(3, "Brief");
  const int plans = plans_;
  const int on_first = machines_[0].engine->compiled;
  const int on_last = machines_[2].engine->compiled;
  under_load([&] { kill(1); });
  wait_until([&](const PipelineStatus&) { return plans_ > plans; }, "looked for a better plan");
  under_load([] {});
  const PipelineStatus status = supervisor_->status();
  EXPECT_TRUE(serves_on(status, 3));
  EXPECT_EQ(status.stages[1].worker, "m0");
  EXPECT_EQ(status.recovery->replans, 0U);
  EXPECT_EQ(machines_[0].engine->compiled, on_first + 1);
  EXPECT_EQ(machines_[2].engine->compiled, on_last) << "what it had was loaded anew";
  EXPECT_EQ(plans_, plans + 1) << "what was considered is considered again";
}

TEST_F(Recovery, AStopgapThatIsLostInTurnIsRecoveredFrom) {
  with_stopgaps_ = true;
  gain_ = 0.1;
  start(4, "Brief");
  under_load([&] { kill(1); });
  under_load([&] { kill(0); });
  under_load([&] { kill(3); });
  EXPECT_EQ(supervisor_->status().requests_failed, 0U);
  EXPECT_EQ(supervisor_->status().stages.at(0).worker, "m2");
}

TEST_F(Recovery, ASecondLossDuringRecoveryIsRecoveredFromToo) {
  start(4, "Brief");
  machines_[1].engine->slow = true;
  under_load([&] {
    const int before = machines_[1].engine->compiled;
    kill(0);
    // It loads its new stage: that takes longer than the whole test may.
    wait_until([&](const PipelineStatus&) { return machines_[1].engine->compiled > before; }, "loading");
    kill(1);
  });
  EXPECT_TRUE(serves_on(supervisor_->status(), 2));
}

TEST_F(Recovery, AMachineThatStandsStillWhileItLoadsIsDoneWithout) {
  start(3, "Brief");
  machines_[1].engine->slow = true;
  under_load([&] {
    const int before = machines_[1].engine->compiled;
    kill(0);
    wait_until([&](const PipelineStatus&) { return machines_[1].engine->compiled > before; }, "loading");
    machines_[1].way->block();
  });
  EXPECT_TRUE(serves_on(supervisor_->status(), 1));
  machines_[1].way->mend();
}

TEST_F(Recovery, ALossWhileABetterPlanIsLoadedIsRecoveredFromAtOnce) {
  start_with_one_that_returns();
  const Clock::time_point begin = Clock::now();
  under_load([&] { machines_[2].way->interrupt(); });
  EXPECT_LT(seconds_since(begin), 4) << "it waited until the better plan was loaded";
  // That is not forgotten.
  machines_[0].engine->slow = false;
  wait_for_stages(3);
  wait_until([](const PipelineStatus& status) { return status.recovery->replans == 1; }, "planned anew");
}

TEST_F(Recovery, ALossWhileABetterPlanIsLookedForIsRecoveredFromAtOnce) {
  with_stopgaps_ = true;
  std::promise<void> known;
  const std::shared_future<void> end = known.get_future().share();
  const auto thinking = std::make_shared<std::atomic<int>>(0);
  think_ = [thinking, end] {
    if (++*thinking == 1) end.wait_for(seconds(20));
  };
  start(4);
  under_load([&] { kill(1); });
  wait_until([&](const PipelineStatus&) { return *thinking == 1; }, "looking for a better plan");
  const Clock::time_point begin = Clock::now();
  under_load([&] { kill(2); });
  EXPECT_LT(seconds_since(begin), 5) << "it waited until the better plan was found";
  EXPECT_EQ(*thinking, 1) << "two were looked for at once";
  known.set_value();
  wait_for_stages(2);
  EXPECT_GT(*thinking, 1);
  under_load([] {});
}

TEST_F(Recovery, AMachineThatStartsAgainWhileABetterPlanIsLoadedIsTakenBack) {
  start_with_one_that_returns();
  {
    // At another address at once: it never looks gone.
    const std::lock_guard lock(mutex_);
    machines_[1].kill();
    machines_[1].start();
  }
  machines_[0].engine->slow = false;
  wait_for_stages(3);
  under_load([] {});
}

TEST_F(Recovery, AMachineThatCantLoadIsLeftOut) {
  start(3, "Brief");
  machines_[1].engine->refuses = true;
  under_load([&] { kill(0); });
  const PipelineStatus status = supervisor_->status();
  EXPECT_TRUE(serves_on(status, 1));
  EXPECT_EQ(status.stages[0].worker, "m2");
}

TEST_F(Recovery, WhereNoMachineCanLoadRequestsAreRefusedWithTheReason) {
  start(2, "Brief");
  machines_[1].engine->refuses = true;
  Sent sent = send(1);
  kill(0);
  ASSERT_EQ(sent.answer.wait_for(kLimit), std::future_status::ready);
  const Prediction prediction = sent.answer.get();
  ASSERT_TRUE(prediction.error);
  EXPECT_EQ(prediction.error->code(), ErrorCode::unavailable);
  EXPECT_NE(std::string(prediction.error->what()).find("no space left on device"), std::string::npos)
      << prediction.error->what();
  machines_[1].engine->refuses = false;
  wait_for_stages(1);
  expect_answer(send(2));
}

TEST_F(Recovery, AMachineThatComesAndGoesDoesNotStopTheOthers) {
  start(3);
  std::atomic<bool> stop = false;
  std::thread flapping([&] {
    while (!stop) {
      kill(1);
      std::this_thread::sleep_for(milliseconds(150));
      revive(1);
      std::this_thread::sleep_for(milliseconds(250));
    }
  });
  const Deadline deadline{seconds(4)};
  std::vector<Sent> sent;
  while (!deadline.passed()) {
    sent.push_back(send(static_cast<float>(sent.size())));
    std::this_thread::sleep_for(milliseconds(10));
  }
  stop = true;
  flapping.join();
  for (Sent& one : sent) expect_answer(std::move(one));
  // Each time it goes it has to wait longer until it is taken back.
  EXPECT_LE(supervisor_->status().recovery->recoveries, 5U);
}

TEST_F(Recovery, AMachineThatBecomesSlowIsRelievedAndNoRequestIsLost) {
  expected_seconds_ = 0.01;
  start(3);
  for (float x = 0; x < 20; ++x) expect_answer(send(x));
  EXPECT_TRUE(supervisor_->status().recovery->slow.empty());
  machines_[1].engine->milliseconds_more = 60;
  ask_until([](const PipelineStatus& status) { return serves_on(status, 2); }, "without the slow machine");
  wait_until([](const PipelineStatus& status) { return !status.recovery->last.empty(); }, "kept");
  const PipelineStatus status = supervisor_->status();
  ASSERT_TRUE(status.recovery->slow.contains("m1"));
  EXPECT_GE(status.recovery->slow.at("m1"), 3);
  EXPECT_EQ(status.recovery->recoveries, 0U);
  EXPECT_EQ(status.recovery->replans, 1U);
  EXPECT_EQ(status.requests_failed, 0U);
  ASSERT_EQ(status.recovery->last.size(), 1U);
  EXPECT_NE(status.recovery->last[0].reason.find("'m1' takes "), std::string::npos)
      << status.recovery->last[0].reason;
  EXPECT_EQ(status.recovery->last[0].seconds, 0);
}

TEST_F(Recovery, ASlowMachineKeepsItsWorkWhereNoPlanIsClearlyBetter) {
  expected_seconds_ = 0.01;
  gain_ = 0.1;
  start(3);
  machines_[1].engine->milliseconds_more = 60;
  ask_until([](const PipelineStatus& status) { return status.recovery->slow.contains("m1"); }, "slow");
  const int plans = plans_;
  ask_until([&](const PipelineStatus& status) { return status.requests_answered > 60; }, "asked enough");
  EXPECT_TRUE(serves_on(supervisor_->status(), 3));
  EXPECT_EQ(supervisor_->status().recovery->replans, 0U);
  EXPECT_LE(plans_, plans + 1) << "what was considered is considered again";
}

TEST_F(Recovery, AMachineThatWasSlowIsTriedAgain) {
  expected_seconds_ = 0.01;
  stragglers_.pause = milliseconds(1500);
  start(3);
  machines_[1].engine->milliseconds_more = 60;
  ask_until([](const PipelineStatus& status) { return serves_on(status, 2); }, "without the slow machine");
  machines_[1].engine->milliseconds_more = 0;
  wait_for_stages(3);
  EXPECT_TRUE(supervisor_->status().recovery->slow.empty());
  under_load([] {});
  wait_until([](const PipelineStatus& status) { return status.recovery->replans == 2; }, "planned twice");
}

TEST_F(Recovery, WhereAllMachinesAreSlowNoneIs) {
  expected_seconds_ = 0.01;
  start(3);
  for (Machine& machine : machines_) machine.engine->milliseconds_more = 40;
  for (float x = 0; x < 30; ++x) expect_answer(send(x));
  EXPECT_TRUE(supervisor_->status().recovery->slow.empty());
  EXPECT_EQ(supervisor_->status().recovery->replans, 0U);
}

TEST_F(Recovery, TheLastRecoveriesAreKept) {
  start(3, "Brief");
  under_load([&] { kill(1); });
  wait_for_stages(2);
  revive(1);
  wait_for_stages(3);
  wait_until([](const PipelineStatus& status) { return status.recovery->last.size() > 1; }, "kept");
  const RecoveryStatus recovery = *supervisor_->status().recovery;
  const lamina::Recovery& loss = recovery.last.front();
  EXPECT_EQ(loss.lost, std::vector<std::string>{"m1"});
  EXPECT_GT(loss.seconds, 0);
  EXPECT_GT(loss.requests_resent, 0U);
  EXPECT_NE(loss.reason, "");
  EXPECT_LT(std::chrono::system_clock::now() - loss.when, kLimit);
  EXPECT_EQ(recovery.last.back().reason, "'m1' is there again");
  EXPECT_EQ(recovery.last.back().seconds, 0);
  double seconds = 0;
  for (const lamina::Recovery& one : recovery.last) seconds += one.seconds;
  EXPECT_DOUBLE_EQ(recovery.seconds, seconds);
}

TEST_F(Recovery, CancelledAndLateRequestsAreAnsweredDuringARecovery) {
  start(2, "Slow", 2);
  Sent late = send(1, milliseconds(300));
  kill(1);
  const ErrorCode code = error_of(std::move(late));
  EXPECT_TRUE(code == ErrorCode::deadline_exceeded || code == ErrorCode::unavailable);
}

TEST_F(Recovery, ItEndsWhileItRecovers) {
  start(3, "Brief");
  machines_[1].engine->slow = true;
  Sent sent = send(1);
  kill(0);
  std::this_thread::sleep_for(milliseconds(100));
  supervisor_.reset();
  EXPECT_EQ(error_of(std::move(sent)), ErrorCode::cancelled);
}

}  // namespace
}  // namespace lamina
