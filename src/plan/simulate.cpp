#include "plan/simulate.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/rate_meter.h"
#include "plan/simulated_events.h"
#include "plan/simulated_generation.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <deque>
#include <map>
#include <memory>
#include <random>
#include <utility>

namespace lamina {

namespace {

// When each of a device's servants is free again.
struct Device {
  double computing = 0;
  double sending = 0;
  double receiving = 0;
};

// How long requests may take to end where they are when another plan takes over, as under a Supervisor.
constexpr double kDrainLimit = 5;

// Requests that travel as one.
struct Batch {
  std::shared_ptr<SimulatedGeneration> with;
  std::vector<double> arrivals;
  // By stage, the front end last: the device that it takes there, and the hops to there that have not come.
  std::vector<std::size_t> device;
  std::vector<std::size_t> to_come;
};

class Simulator {
 public:
  Simulator(const PlacementProblem& problem, const Placement& placement, const SimulationOptions& options)
      : problem_(problem), options_(options), random_(options.seed) {
    result_.busy.resize(problem.devices.size());
    result_.stages.resize(placement.stages.size());
    devices_.resize(problem.devices.size());
    first_ = serving_ = generation_of(placement, nullptr);
  }

  Simulation run() {
    events_.add(next_arrival(0), What::arrives);
    if (options_.failure) events_.add(options_.failure->at, What::fails);
    while (!events_.empty()) {
      const SimulatedEvent event = events_.take();
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
  void handle(const SimulatedEvent& event) {
    switch (event.what) {
      case What::arrives:
        return arrive();
      case What::window_ends:
        return let_go();
      case What::fails:
        return lose(options_.failure->device);
      case What::changes:
        return change();
      case What::drained:
        return send_again([this](const Batch& batch) { return batch.with != serving_; });
      case What::gives_up:
        return give_up();
      default:
        break;
    }
    const auto found = under_way_.find(event.batch);
    if (found == under_way_.end()) return;  // it was sent again
    Batch& batch = found->second;
    if (event.what == What::sends) {
      send(event.batch, batch, event.stage, event.hop);
    } else if (event.what == What::leaves_stage) {
      --batch.with->waiting[event.stage];
      send(event.batch, batch, event.stage, 0);
    } else {
      const std::size_t stage = batch.with->hops[event.stage][event.hop].to;
      if (--batch.to_come[stage] > 0) return;
      if (stage < batch.with->placement.stages.size()) {
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

  std::shared_ptr<SimulatedGeneration> generation_of(const Placement& placement,
                                                     ProblemOfRows problem_of) const {
    if (!problem_of && options_.joining) problem_of = options_.joining->problem_of;
    if (!problem_of) problem_of = [this](std::size_t) -> const PlacementProblem& { return problem_; };
    return std::make_shared<SimulatedGeneration>(placement, std::move(problem_of), most_rows());
  }

  std::size_t most_rows() const { return options_.joining ? options_.joining->rows : 1; }

  // --- what becomes of plans ---

  // What is under way waits for the next plan.
  void lose(std::size_t device) {
    if (!uses(serving_->placement, device)) return;
    serving_.reset();
    send_again([](const Batch&) { return true; });
    if (options_.recover) changes_ = options_.recover(device, rate_.most(time_of(now_)));
    result_.recovered = !changes_.empty();
    if (result_.recovered) {
      events_.add(now_ + changes_.front().seconds, What::changes);
    } else {
      events_.add(now_ + options_.patience, What::gives_up);
    }
  }

  void change() {
    // Nothing is left of what machines did for a plan that is over.
    if (!serving_) devices_.assign(devices_.size(), {now_, now_, now_});
    const SimulatedChange& next = changes_[result_.changes.size()];
    if (serving_) events_.add(now_ + kDrainLimit, What::drained);
    serving_ = generation_of(next.placement, next.problem_of);
    result_.changes.push_back(now_);
    if (result_.changes.size() < changes_.size())
      events_.add(now_ + changes_[result_.changes.size()].seconds, What::changes);
    send_held();
  }

  void give_up() {
    result_.failed += requests_;
    requests_ = 0;
    held_.clear();
    waiting_to_join_.clear();
    refusing_ = true;
  }

  template <typename Which>
  void send_again(const Which& which) {
    for (auto at = under_way_.begin(); at != under_way_.end();) {
      if (which(at->second)) {
        result_.resent += at->second.arrivals.size();
        held_.push_back(std::move(at->second.arrivals));
        at = under_way_.erase(at);
      } else {
        ++at;
      }
    }
    send_held();
  }

  // --- requests ---

  void arrive() {
    const double next = next_arrival(now_);
    if (next <= options_.seconds) events_.add(next, What::arrives);
    rate_.note(1, time_of(now_));
    if (refusing_ || requests_ >= options_.max_in_flight) {
      ++result_.refused;
      return;
    }
    ++requests_;
    waiting_to_join_.push_back(now_);
    if (options_.joining) events_.add(now_ + options_.joining->window, What::window_ends);
    let_go();
  }

  static Clock::time_point time_of(double seconds) {
    return Clock::time_point(
        std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(seconds)));
  }

  // Batches that are full, or have waited long enough, or find nothing under way.
  void let_go() {
    const double window = options_.joining ? options_.joining->window : 0;
    while (!waiting_to_join_.empty() &&
           (waiting_to_join_.size() >= most_rows() || (under_way_.empty() && held_.empty()) ||
            now_ >= waiting_to_join_.front() + window)) {
      const auto end = waiting_to_join_.begin() +
                       static_cast<std::ptrdiff_t>(std::min(most_rows(), waiting_to_join_.size()));
      held_.emplace_back(waiting_to_join_.begin(), end);
      waiting_to_join_.erase(waiting_to_join_.begin(), end);
      send_held();
    }
  }

  void send_held() {
    for (; serving_ && !held_.empty(); held_.pop_front()) {
      const std::uint64_t number = next_batch_++;
      Batch& batch = under_way_[number];
      batch = {serving_, std::move(held_.front()), serving_->devices_of_next(), serving_->hops_to_come()};
      send(number, batch, serving_->front_end(), 0);
    }
  }

  // One hop after another: the next begins when this one no longer keeps the sender busy.
  void send(std::uint64_t number, const Batch& batch, std::size_t stage, std::size_t position) {
    const std::vector<std::vector<StageHop>>& hops = batch.with->hops;
    const StageHop& hop = hops[stage][position];
    const std::size_t from = batch.device[stage];
    const std::size_t to = batch.device[hop.to];
    const HopCost cost = hop_cost(batch.with->problem_of(batch.arrivals.size()), hop, from, to);
    // The front end narrows requests before it sends them and widens answers; workers do both as they
    // compute.
    const std::size_t front_end = batch.with->front_end();
    const double seconds =
        cost.transfer + (stage == front_end ? cost.narrow : 0) + (hop.to == front_end ? cost.widen : 0);
    double begin = now_;
    if (from == to) {
      double& free = batch.with->loopbacks[{stage, hop.to, from}];
      begin = std::max(now_, free);
      free = begin + seconds;
    } else {
      begin = std::max({now_, devices_[from].sending, devices_[to].receiving});
      devices_[from].sending = devices_[to].receiving = begin + seconds;
      result_.busy[from].sending += seconds;
      result_.busy[to].receiving += seconds;
    }
    events_.add(begin + seconds + cost.trip, What::comes, number, stage, position);
    if (position + 1 < hops[stage].size())
      events_.add(begin + seconds, What::sends, number, stage, position + 1);
  }

  void compute(std::uint64_t number, const Batch& batch, std::size_t index) {
    const PlacedStage& stage = batch.with->placement.stages[index];
    const std::size_t at = batch.device[index];
    Device& device = devices_[at];
    const double spread = options_.spread ? options_.spread(stage, at) : 0;
    const double times = spread > 0 ? std::lognormal_distribution<double>(0, spread)(random_) : 1;
    const double seconds =
        batch.with->seconds_at_work(index, at, batch.arrivals.size(), device.computing <= now_, times);
    device.computing = std::max(now_, device.computing) + seconds;
    result_.busy[at].computing += seconds;
    std::size_t& waiting = batch.with->waiting[index];
    ++waiting;
    if (batch.with == first_) {
      std::size_t& most = result_.stages[index].most_waiting;
      most = std::max(most, waiting - 1);  // one of them is computed
    }
    events_.add(device.computing, What::leaves_stage, number, index);
  }

  const PlacementProblem& problem_;
  const SimulationOptions& options_;
  std::mt19937_64 random_;
  SimulatedEvents events_;
  std::uint64_t next_batch_ = 1;
  double now_ = 0;
  std::shared_ptr<SimulatedGeneration> first_;
  std::shared_ptr<SimulatedGeneration> serving_;  // nothing while no plan serves
  std::vector<SimulatedChange> changes_;          // those to come too
  bool refusing_ = false;
  std::vector<Device> devices_;
  RateMeter rate_;
  std::size_t requests_ = 0;              // taken and not answered
  std::deque<double> waiting_to_join_;    // arrivals
  std::deque<std::vector<double>> held_;  // batches that wait to be sent, by arrivals
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
