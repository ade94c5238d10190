#include "plan/simulate.h"

#include "base/error.h"
#include "base/shares.h"
#include "plan/branch_cost.h"
#include "plan/stage_hops.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <queue>
#include <random>
#include <tuple>
#include <utility>

namespace lamina {

namespace {

// When each of a device's servants is free again.
struct Device {
  double computing = 0;
  double sending = 0;
  double receiving = 0;
};

// Requests that travel as one.
struct Batch {
  std::vector<double> arrivals;
  // By stage, the front end last: the device that it takes there, and the hops to there that have not come.
  std::vector<std::size_t> device;
  std::vector<std::size_t> to_come;
};

enum class What { arrives, window_ends, sends, comes, leaves_stage, fails, recovers };

struct Event {
  double time = 0;
  std::uint64_t order = 0;  // of equal times the first comes first
  What what = What::arrives;
  std::uint64_t batch = 0;
  std::size_t stage = 0;  // that sends, or whose work is done
  std::size_t hop = 0;    // of those that it sends
  bool operator>(const Event& other) const {
    return time != other.time ? time > other.time : order > other.order;
  }
};

class Simulator {
 public:
  Simulator(const PlacementProblem& problem, const Placement& placement, const SimulationOptions& options)
      : problem_(problem), options_(options), random_(options.seed) {
    result_.busy.resize(problem.devices.size());
    result_.stages.resize(placement.stages.size());
    serve(placement);
  }

  Simulation run() {
    add(next_arrival(0), What::arrives);
    if (options_.failure) add(options_.failure->at, What::fails);
    while (!events_.empty()) {
      const Event event = events_.top();
      events_.pop();
      now_ = event.time;
      handle(event);
    }
    for (DeviceLoad& load : result_.busy) {
      const double span = std::max(result_.span, 1e-12);
      load = {load.computing / span, load.sending / span, load.receiving / span};
    }
    return std::move(result_);
  }

 private:
  void handle(const Event& event) {
    switch (event.what) {
      case What::arrives:
        arrive();
        return;
      case What::window_ends:
        let_go();
        return;
      case What::fails:
        result_.failed += requests_;
        requests_ = 0;
        under_way_.clear();
        waiting_to_join_.clear();
        placement_.reset();
        next_ = options_.replan ? options_.replan(options_.failure->device) : std::nullopt;
        result_.recovered = next_.has_value();
        if (next_)
          add(now_ + options_.failure->recovery.value_or(load_seconds(problem_, *next_)), What::recovers);
        return;
      case What::recovers:
        serve(*next_);
        return;
      default:
        break;
    }
    const auto found = under_way_.find(event.batch);
    if (found == under_way_.end()) return;  // it failed
    Batch& batch = found->second;
    if (event.what == What::sends) {
      send(event.batch, batch, event.stage, event.hop);
    } else if (event.what == What::leaves_stage) {
      --waiting_[event.stage];
      send(event.batch, batch, event.stage, 0);
    } else {
      const std::size_t stage = hops_[event.stage][event.hop].to;
      if (--batch.to_come[stage] > 0) return;
      if (stage < placement_->stages.size()) {
        compute(event.batch, batch, stage);
      } else {
        answer(event.batch, batch);
      }
    }
  }

  void answer(std::uint64_t number, const Batch& batch) {
    for (const double arrival : batch.arrivals) result_.latencies.push_back(now_ - arrival);
    ++result_.batches;
    requests_ -= batch.arrivals.size();
    result_.span = now_;
    under_way_.erase(number);
    let_go();
  }

  // Poisson: what lies between arrivals is exponential.
  double next_arrival(double from) {
    return from + std::exponential_distribution<double>(options_.rate)(random_);
  }

  void add(double time, What what, std::uint64_t batch = 0, std::size_t stage = 0, std::size_t hop = 0) {
    events_.push({time, order_++, what, batch, stage, hop});
  }

  void serve(const Placement& placement) {
    placement_ = placement;
    waiting_.assign(placement.stages.size(), 0);
    devices_.assign(problem_.devices.size(), {now_, now_, now_});
    loopbacks_.clear();
    hops_ = hops_of(problem_, placement);
    turns_.clear();
    for (const PlacedStage& stage : placement.stages) turns_.push_back(Shares::of(stage.replicas));
  }

  void arrive() {
    const double next = next_arrival(now_);
    if (next <= options_.seconds) add(next, What::arrives);
    if (!placement_ || requests_ >= options_.max_in_flight) {
      ++result_.refused;
      return;
    }
    ++requests_;
    waiting_to_join_.push_back(now_);
    if (options_.joining) add(now_ + options_.joining->window, What::window_ends);
    let_go();
  }

  // Batches that are full, or have waited long enough, or find nothing under way.
  void let_go() {
    const std::size_t rows = options_.joining ? options_.joining->rows : 1;
    const double window = options_.joining ? options_.joining->window : 0;
    while (!waiting_to_join_.empty() && (waiting_to_join_.size() >= rows || under_way_.empty() ||
                                         now_ >= waiting_to_join_.front() + window)) {
      const auto end =
          waiting_to_join_.begin() + static_cast<std::ptrdiff_t>(std::min(rows, waiting_to_join_.size()));
      const std::uint64_t number = next_batch_++;
      Batch& batch = under_way_[number];
      batch.arrivals.assign(waiting_to_join_.begin(), end);
      batch.device.assign(hops_.size(), problem_.source);
      for (std::size_t stage = 0; stage < turns_.size(); ++stage)
        batch.device[stage] = placement_->stages[stage].replicas[turns_[stage].next()].device;
      batch.to_come.assign(hops_.size(), 0);
      for (const auto& from : hops_) {
        for (const StageHop& hop : from) ++batch.to_come[hop.to];
      }
      waiting_to_join_.erase(waiting_to_join_.begin(), end);
      send(number, batch, hops_.size() - 1, 0);
    }
  }

  const PlacementProblem& problem_of(const Batch& batch) const {
    return options_.joining ? options_.joining->problem_of(batch.arrivals.size()) : problem_;
  }

  // One hop after another: the next begins when this one no longer keeps the sender busy.
  void send(std::uint64_t number, const Batch& batch, std::size_t stage, std::size_t position) {
    const StageHop& hop = hops_[stage][position];
    const std::size_t from = batch.device[stage];
    const std::size_t to = batch.device[hop.to];
    const HopCost cost = hop_cost(problem_of(batch), hop, from, to);
    // The front end narrows requests before it sends them and widens answers; workers do both as they
    // compute.
    const std::size_t front_end = hops_.size() - 1;
    const double seconds =
        cost.transfer + (stage == front_end ? cost.narrow : 0) + (hop.to == front_end ? cost.widen : 0);
    double begin = now_;
    if (from == to) {
      double& free = loopbacks_[{stage, hop.to, from}];
      begin = std::max(now_, free);
      free = begin + seconds;
    } else {
      begin = std::max({now_, devices_[from].sending, devices_[to].receiving});
      devices_[from].sending = devices_[to].receiving = begin + seconds;
      result_.busy[from].sending += seconds;
      result_.busy[to].receiving += seconds;
    }
    add(begin + seconds + cost.trip, What::comes, number, stage, position);
    if (position + 1 < hops_[stage].size()) add(begin + seconds, What::sends, number, stage, position + 1);
  }

  // What the messages and formats of a stage take.
  StageWork hop_work(const PlacementProblem& problem, std::size_t stage, std::size_t device) const {
    StageWork work;
    const auto add_work = [&work](const StageWork& more) {
      work.computing += more.computing;
      work.processors += more.processors;
    };
    for (const auto& from : hops_) {
      for (const StageHop& hop : from) {
        if (hop.from == stage) add_work(sending_work(problem, hop, device));
        if (hop.to == stage) add_work(receiving_work(problem, hop, device));
      }
    }
    return work;
  }

  void compute(std::uint64_t number, const Batch& batch, std::size_t index) {
    const PlacedStage& stage = placement_->stages[index];
    const PlacementProblem& problem = problem_of(batch);
    const std::size_t at = batch.device[index];
    Device& device = devices_[at];
    const bool idle = device.computing <= now_;
    // At work, whichever is the longer: the thread that computes, or all that its processors have to do.
    double seconds = 0;
    double processors = 0;
    for (const PieceCost* cost : costs_of(problem, stage, at)) {
      seconds += idle ? cost->seconds : cost->busy_seconds();
      processors += compute_work(problem.devices[at], *cost).processors;
    }
    const double spread = options_.spread ? options_.spread(stage, at) : 0;
    if (spread > 0) seconds *= std::lognormal_distribution<double>(0, spread)(random_);
    const StageWork hops = hop_work(problem, index, at);
    seconds += hops.computing;
    if (!idle) seconds = std::max(seconds, processors + hops.processors);
    if (idle) seconds += problem_.devices[at].wake;
    device.computing = std::max(now_, device.computing) + seconds;
    result_.busy[at].computing += seconds;
    std::size_t& waiting = waiting_[index];
    ++waiting;
    if (index < result_.stages.size()) {
      std::size_t& most = result_.stages[index].most_waiting;
      most = std::max(most, waiting - 1);  // one of them is computed
    }
    add(device.computing, What::leaves_stage, number, index);
  }

  const PlacementProblem& problem_;
  const SimulationOptions& options_;
  std::mt19937_64 random_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  std::uint64_t next_batch_ = 1;
  double now_ = 0;
  std::optional<Placement> placement_;       // nothing while no plan serves
  std::optional<Placement> next_;            // that will, once it is loaded
  std::vector<std::vector<StageHop>> hops_;  // of the placement
  std::vector<Device> devices_;
  // When it is free again, by sender, receiver and device.
  std::map<std::tuple<std::size_t, std::size_t, std::size_t>, double> loopbacks_;
  std::vector<Shares> turns_;           // by stage
  std::vector<std::size_t> waiting_;    // by stage, the one computed included
  std::size_t requests_ = 0;            // taken and not answered
  std::deque<double> waiting_to_join_;  // arrivals
  std::map<std::uint64_t, Batch> under_way_;
  Simulation result_;
};

}  // namespace

Simulation simulate(const PlacementProblem& problem, const Placement& placement,
                    const SimulationOptions& options) {
  if (!(options.rate > 0) || !(options.seconds > 0) || options.max_in_flight == 0) {
    fail(ErrorCode::invalid_argument,
         "a simulation of {} requests/s for {} s with {} under way, expected more than 0", options.rate,
         options.seconds, options.max_in_flight);
  }
  return Simulator(problem, placement, options).run();
}

}  // namespace lamina
