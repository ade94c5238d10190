#include "plan/cheapest_chain.h"

#include <algorithm>
#include <limits>
#include <numeric>

namespace lamina {

namespace {

constexpr double kRounding = 1e-9;
constexpr double kInfinity = std::numeric_limits<double>::infinity();

StageWork least(const StageWork& a, const StageWork& b) {
  return {std::min(a.computing, b.computing), std::min(a.processors, b.processors)};
}

// By cut, what a message into a stage or out of it takes of the device, in the format that takes least.
template <typename Work>
std::vector<StageWork> least_work(const PlacementProblem& problem, std::size_t device, const Work& work) {
  std::vector<StageWork> by_cut(problem.cut_bytes.size(), {kInfinity, kInfinity});
  for (std::size_t cut = 0; cut < by_cut.size(); ++cut) {
    for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
      if (may_travel(problem, wire, cut)) by_cut[cut] = least(by_cut[cut], work(problem, device, wire, cut));
    }
  }
  return by_cut;
}

// In more digits than are kept elsewhere: pieces are added and taken off again.
struct ExactWork {
  long double computing = 0;
  long double processors = 0;

  ExactWork plus(const StageWork& work) const {
    return {computing + work.computing, processors + work.processors};
  }
  ExactWork minus(const StageWork& work) const {
    return {computing - work.computing, processors - work.processors};
  }
  bool is_within(double seconds) const { return std::max(computing, processors) <= seconds; }
};

// The end of the longest stage from each piece on, or that of a stage from an earlier piece where it is
// farther (what comes in may take less there), so that ends grow with first pieces.
std::vector<std::size_t> longest_stages(const StageSums& sums, std::size_t device, double period) {
  const PlacementProblem& problem = sums.problem();
  const std::uint64_t budget = problem.devices[device].memory_budget;
  const std::vector<StageWork> input = least_work(problem, device, input_work);
  const std::vector<StageWork> output = least_work(problem, device, output_work);
  const auto piece = [&](std::size_t index) { return piece_work(problem, device, index); };
  std::vector<std::size_t> farthest(problem.pieces.size());
  std::size_t reached = 0;  // by pieces alone, which take so much
  ExactWork taken;
  std::size_t longest = 0;
  for (std::size_t first = 0; first < farthest.size(); ++first) {
    if (reached < first) reached = first;
    while (reached < sums.runs_until(device, first) && taken.plus(piece(reached)).is_within(period) &&
           sums.own_memory(device, first, reached + 1) <= budget)
      taken = taken.plus(piece(reached++));
    std::size_t end = reached;
    ExactWork work = taken;
    longest = std::max(longest, first);
    while (end > longest && !(work.plus(input[first]).plus(output[end]).is_within(period) &&
                              sums.memory(device, first, end) <= budget))
      work = work.minus(piece(--end));
    farthest[first] = longest = end;
    if (reached > first) taken = taken.minus(piece(first));
  }
  return farthest;
}

std::vector<double> shortest_bytes(const PlacementProblem& problem) {
  std::vector<double> bytes(problem.cut_bytes.size(), kInfinity);
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
      if (may_travel(problem, wire, cut))
        bytes[cut] = std::min(bytes[cut], static_cast<double>(wire_bytes(problem, wire, cut)));
    }
  }
  return bytes;
}

// Whether a link of the source's front end carries what crosses the cut within the period, with what the
// front end itself takes to narrow or widen it.
template <typename FrontEnd>
bool keeps_period(const PlacementProblem& problem, const LinkCost& link, std::size_t cut, double period,
                  const FrontEnd& front_end) {
  for (std::size_t wire = 0; wire < wire_count(problem); ++wire) {
    if (!may_travel(problem, wire, cut)) continue;
    const double transfer = hop_cost(link, wire_bytes(problem, wire, cut)).transfer;
    if (transfer + front_end(problem, problem.source, wire, cut) <= period) return true;
  }
  return false;
}

}  // namespace

CheapestChain::CheapestChain(const StageSums& sums, double period)
    : devices_(sums.problem().devices.size()),
      pieces_(sums.problem().pieces.size()),
      bytes_(shortest_bytes(sums.problem())),
      rest_((pieces_ + 1) * devices_),
      next_((pieces_ + 1) * devices_),
      end_(pieces_ * devices_),
      from_(devices_),
      order_(devices_),
      endings_(pieces_ * devices_),
      windows_(devices_) {
  const PlacementProblem& problem = sums.problem();
  const double within = period * (1 + kRounding);
  for (std::size_t device = 0; device < devices_; ++device) {
    farthest_.push_back(longest_stages(sums, device, within));
    for (const LinkCost& link : problem.links[device]) {
      carried_.push_back(
          link.bandwidth > 0 ? std::min(link.bandwidth * within, static_cast<double>(link.max_bytes)) : 0);
    }
    takes_requests_.push_back(
        keeps_period(problem, problem.links[problem.source][device], 0, within, narrow_seconds));
    gives_answers_.push_back(
        keeps_period(problem, problem.links[device][problem.source], pieces_, within, widen_seconds));
  }
  std::iota(order_.begin(), order_.end(), 0U);
}

double CheapestChain::solve(const std::vector<double>& prices) {
  for (std::size_t device = 0; device < devices_; ++device) {
    windows_[device] = {};
    rest_[pieces_ * devices_ + device] = gives_answers_[device] ? 0 : kInfinity;
  }
  for (std::size_t cut = pieces_; cut-- > 0;) {
    end_stages(cut + 1);
    begin_stages(cut, prices);
    if (cut > 0) follow_stages(cut);
  }
  double least = kInfinity;
  for (std::size_t device = 0; device < devices_; ++device) {
    if (!takes_requests_[device] || from_[device] >= least) continue;
    least = from_[device];
    first_ = device;
  }
  return least;
}

// Stages that begin earlier may end at the cut: for them it outdoes what is farther and dearer.
void CheapestChain::end_stages(std::size_t cut) {
  for (std::size_t device = 0; device < devices_; ++device) {
    const double rest = rest_[cut * devices_ + device];
    if (rest == kInfinity) continue;
    Ending* const endings = &endings_[device * pieces_];
    Window& window = windows_[device];
    while (window.end > window.begin && endings[window.end - 1].rest > rest) --window.end;
    endings[window.end++] = {rest, static_cast<std::uint32_t>(cut)};
  }
}

void CheapestChain::begin_stages(std::size_t cut, const std::vector<double>& prices) {
  for (std::size_t device = 0; device < devices_; ++device) {
    const Ending* const endings = &endings_[device * pieces_];
    Window& window = windows_[device];
    while (window.begin < window.end && endings[window.begin].cut > farthest_[device][cut]) ++window.begin;
    if (window.begin == window.end) {
      from_[device] = kInfinity;
      continue;
    }
    from_[device] = prices[device] + endings[window.begin].rest;
    end_[cut * devices_ + device] = endings[window.begin].cut;
  }
}

void CheapestChain::follow_stages(std::size_t cut) {
  // By insertion: from cut to cut the order changes little.
  for (auto at = order_.begin(); at != order_.end(); ++at) {
    const std::uint32_t device = *at;
    auto to = at;
    for (; to != order_.begin() && from_[*(to - 1)] > from_[device]; --to) *to = *(to - 1);
    *to = device;
  }
  for (std::size_t device = 0; device < devices_; ++device) {
    const std::size_t at = cut * devices_ + device;
    rest_[at] = kInfinity;
    for (const std::uint32_t next : order_) {
      if (next == device || !carries(device, next, cut)) continue;
      rest_[at] = from_[next];
      next_[at] = next;
      break;
    }
  }
}

std::vector<double> CheapestChain::taken() const {
  std::vector<double> taken(devices_, 0);
  std::size_t device = first_;
  for (std::size_t cut = 0; cut < pieces_;) {
    ++taken[device];
    cut = end_[cut * devices_ + device];
    device = next_[cut * devices_ + device];
  }
  return taken;
}

}  // namespace lamina
