#include "plan/simulate.h"

#include "base/error.h"
#include "base/shares.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <map>
#include <queue>
#include <random>
#include <utility>

namespace lamina {

namespace {

// When each of a device's servants is free again.
struct Device {
  double computing = 0;
  double sending = 0;
  double receiving = 0;
  double entering = 0;   // its loopback with requests …
  double returning = 0;  // … and with answers
};

// Requests that travel as one.
struct Batch {
  std::vector<double> arrivals;
  std::size_t device = 0;  // where it is
  std::size_t stage = 0;   // the next stage; the number of stages: on its way back
};

enum class What { arrives, window_ends, reaches_stage, leaves_stage, is_answered, fails, recovers };

struct Event {
  double time = 0;
  std::uint64_t order = 0;  // of equal times the first comes first
  What what = What::arrives;
  std::uint64_t batch = 0;
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
    add(next_arrival(0), What::arrives, 0);
    if (options_.failure) add(options_.failure->at, What::fails, 0);
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
          add(now_ + options_.failure->recovery.value_or(load_seconds(problem_, *next_)), What::recovers, 0);
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
    if (event.what == What::reaches_stage) {
      compute(event.batch, batch);
    } else if (event.what == What::leaves_stage) {
      --waiting_[batch.stage];
      ++batch.stage;
      send_on(event.batch, batch);
    } else {
      for (const double arrival : batch.arrivals) result_.latencies.push_back(now_ - arrival);
      ++result_.batches;
      requests_ -= batch.arrivals.size();
      result_.span = now_;
      under_way_.erase(found);
      let_go();
    }
  }

  // Poisson: what lies between arrivals is exponential.
  double next_arrival(double from) {
    return from + std::exponential_distribution<double>(options_.rate)(random_);
  }

  void add(double time, What what, std::uint64_t batch) { events_.push({time, order_++, what, batch}); }

  void serve(const Placement& placement) {
    placement_ = placement;
    waiting_.assign(placement.stages.size(), 0);
    devices_.assign(problem_.devices.size(), {now_, now_, now_, now_, now_});
    turns_.clear();
    for (const PlacedStage& stage : placement.stages) turns_.push_back(Shares::of(stage.replicas));
  }

  void arrive() {
    const double next = next_arrival(now_);
    if (next <= options_.seconds) add(next, What::arrives, 0);
    if (!placement_ || requests_ >= options_.max_in_flight) {
      ++result_.refused;
      return;
    }
    ++requests_;
    waiting_to_join_.push_back(now_);
    if (options_.joining) add(now_ + options_.joining->window, What::window_ends, 0);
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
      batch.device = problem_.source;
      waiting_to_join_.erase(waiting_to_join_.begin(), end);
      send_on(number, batch);
    }
  }

  const PlacementProblem& problem_of(const Batch& batch) const {
    return options_.joining ? options_.joining->problem_of(batch.arrivals.size()) : problem_;
  }

  void send_on(std::uint64_t number, Batch& batch) {
    const bool back = batch.stage == placement_->stages.size();
    const std::size_t from = batch.device;
    const std::size_t to =
        back ? problem_.source : placement_->stages[batch.stage].replicas[turns_[batch.stage].next()].device;
    const std::size_t cut = back ? problem_.pieces.size() : placement_->stages[batch.stage].first_piece;
    const std::size_t wire = back ? placement_->return_wire : *placement_->stages[batch.stage].wire;
    const HopCost hop = mean_hop_cost(problem_of(batch), {{from}}, {{to}}, cut, wire);
    // The front end narrows requests before it sends them and widens answers; workers do both as they
    // compute.
    const bool requested = batch.stage == 0;
    const double seconds = hop.transfer + (requested ? hop.narrow : 0) + (back ? hop.widen : 0);
    double begin = now_;
    if (from == to) {
      double& free = back ? devices_[from].returning : devices_[from].entering;
      begin = std::max(now_, free);
      free = begin + seconds;
    } else {
      begin = std::max({now_, devices_[from].sending, devices_[to].receiving});
      devices_[from].sending = devices_[to].receiving = begin + seconds;
      result_.busy[from].sending += seconds;
      result_.busy[to].receiving += seconds;
    }
    batch.device = to;
    add(begin + seconds + hop.trip, back ? What::is_answered : What::reaches_stage, number);
  }

  void compute(std::uint64_t number, const Batch& batch) {
    const PlacedStage& stage = placement_->stages[batch.stage];
    const PlacementProblem& problem = problem_of(batch);
    Device& device = devices_[batch.device];
    const bool idle = device.computing <= now_;
    // At work, whichever is the longer: the thread that computes, or all that its processors have to do.
    double seconds = 0;
    double processors = 0;
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
      const PieceCost& cost = problem.cost[batch.device][piece];
      seconds += idle ? cost.seconds : cost.busy_seconds();
      processors += piece_work(problem, batch.device, piece).processors;
    }
    const double spread = options_.spread ? options_.spread(stage, batch.device) : 0;
    if (spread > 0) seconds *= std::lognormal_distribution<double>(0, spread)(random_);
    const bool last = batch.stage + 1 == placement_->stages.size();
    const std::size_t out = last ? placement_->return_wire : *placement_->stages[batch.stage + 1].wire;
    const StageWork input = input_work(problem, batch.device, *stage.wire, stage.first_piece);
    const StageWork output = output_work(problem, batch.device, out, stage.end_piece);
    seconds += input.computing + output.computing;
    if (!idle) seconds = std::max(seconds, processors + input.processors + output.processors);
    if (idle) seconds += problem_.devices[batch.device].wake;
    device.computing = std::max(now_, device.computing) + seconds;
    result_.busy[batch.device].computing += seconds;
    std::size_t& waiting = waiting_[batch.stage];
    ++waiting;
    if (batch.stage < result_.stages.size()) {
      std::size_t& most = result_.stages[batch.stage].most_waiting;
      most = std::max(most, waiting - 1);  // one of them is computed
    }
    add(device.computing, What::leaves_stage, number);
  }

  const PlacementProblem& problem_;
  const SimulationOptions& options_;
  std::mt19937_64 random_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  std::uint64_t next_batch_ = 1;
  double now_ = 0;
  std::optional<Placement> placement_;  // nothing while no plan serves
  std::optional<Placement> next_;       // that will, once it is loaded
  std::vector<Device> devices_;
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
