#include "plan/simulate.h"

#include "base/error.h"
#include "base/shares.h"

#include <algorithm>
#include <cmath>
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

struct Request {
  double arrival = 0;
  std::size_t device = 0;  // where it is
  std::size_t stage = 0;   // the next stage; the number of stages: on its way back
};

enum class What { arrives, reaches_stage, leaves_stage, is_answered, fails, recovers };

struct Event {
  double time = 0;
  std::uint64_t order = 0;  // of equal times the first comes first
  What what = What::arrives;
  std::uint64_t request = 0;
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
      case What::fails:
        result_.failed += under_way_.size();
        under_way_.clear();
        placement_.reset();
        add(now_ + options_.failure->recovery, What::recovers, 0);
        return;
      case What::recovers:
        if (auto next = options_.replan ? options_.replan(options_.failure->device) : std::nullopt) {
          serve(*next);
        } else {
          result_.recovered = false;
        }
        return;
      default:
        break;
    }
    const auto found = under_way_.find(event.request);
    if (found == under_way_.end()) return;  // it failed
    Request& request = found->second;
    if (event.what == What::reaches_stage) {
      compute(event.request, request);
    } else if (event.what == What::leaves_stage) {
      --waiting_[request.stage];
      ++request.stage;
      send_on(event.request, request);
    } else {
      result_.latencies.push_back(now_ - request.arrival);
      result_.span = now_;
      under_way_.erase(found);
    }
  }

  // Poisson: what lies between arrivals is exponential.
  double next_arrival(double from) {
    return from + std::exponential_distribution<double>(options_.rate)(random_);
  }

  void add(double time, What what, std::uint64_t request) { events_.push({time, order_++, what, request}); }

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
    if (!placement_ || under_way_.size() >= options_.max_in_flight) {
      ++result_.refused;
      return;
    }
    const std::uint64_t number = next_request_++;
    Request& request = under_way_.emplace(number, Request{now_, problem_.source, 0}).first->second;
    send_on(number, request);
  }

  void send_on(std::uint64_t number, Request& request) {
    const bool back = request.stage == placement_->stages.size();
    const std::size_t from = request.device;
    const std::size_t to =
        back ? problem_.source
             : placement_->stages[request.stage].replicas[turns_[request.stage].next()].device;
    const std::size_t cut = back ? problem_.pieces.size() : placement_->stages[request.stage].first_piece;
    const std::size_t wire = back ? placement_->return_wire : *placement_->stages[request.stage].wire;
    const HopCost hop = mean_hop_cost(problem_, {{from}}, {{to}}, cut, wire);
    // The front end narrows requests before it sends them and widens answers; workers do both as they
    // compute.
    const bool requested = request.stage == 0;
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
    request.device = to;
    add(begin + seconds + hop.trip, back ? What::is_answered : What::reaches_stage, number);
  }

  void compute(std::uint64_t number, const Request& request) {
    const PlacedStage& stage = placement_->stages[request.stage];
    Device& device = devices_[request.device];
    const bool idle = device.computing <= now_;
    // At work, whichever is the longer: the thread that computes, or all that its processors have to do.
    double seconds = 0;
    double processors = 0;
    for (std::size_t piece = stage.first_piece; piece < stage.end_piece; ++piece) {
      const PieceCost& cost = problem_.cost[request.device][piece];
      seconds += idle ? cost.seconds : cost.busy_seconds();
      processors += piece_work(problem_, request.device, piece).processors;
    }
    const double spread = options_.spread ? options_.spread(stage, request.device) : 0;
    if (spread > 0) seconds *= std::lognormal_distribution<double>(0, spread)(random_);
    const bool last = request.stage + 1 == placement_->stages.size();
    const std::size_t out = last ? placement_->return_wire : *placement_->stages[request.stage + 1].wire;
    const StageWork input = input_work(problem_, request.device, *stage.wire, stage.first_piece);
    const StageWork output = output_work(problem_, request.device, out, stage.end_piece);
    seconds += input.computing + output.computing;
    if (!idle) seconds = std::max(seconds, processors + input.processors + output.processors);
    if (idle) seconds += problem_.devices[request.device].wake;
    device.computing = std::max(now_, device.computing) + seconds;
    result_.busy[request.device].computing += seconds;
    std::size_t& waiting = waiting_[request.stage];
    ++waiting;
    if (request.stage < result_.stages.size()) {
      std::size_t& most = result_.stages[request.stage].most_waiting;
      most = std::max(most, waiting - 1);  // one of them is computed
    }
    add(device.computing, What::leaves_stage, number);
  }

  const PlacementProblem& problem_;
  const SimulationOptions& options_;
  std::mt19937_64 random_;
  std::priority_queue<Event, std::vector<Event>, std::greater<>> events_;
  std::uint64_t order_ = 0;
  std::uint64_t next_request_ = 1;
  double now_ = 0;
  std::optional<Placement> placement_;  // nothing while no plan serves
  std::vector<Device> devices_;
  std::vector<Shares> turns_;         // by stage
  std::vector<std::size_t> waiting_;  // by stage, the one computed included
  std::map<std::uint64_t, Request> under_way_;
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
