#include "plan/stage_load.h"

#include "plan/share_loads.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Of shares that add up to 1.
constexpr double kRounding = 1e-12;

// The least of other devices' seconds a byte.
template <typename Link>
double best_link(const PlacementProblem& problem, const std::vector<std::size_t>& group, const Link& link) {
  double best = kInfinity;
  for (std::size_t other = 0; other < problem.devices.size(); ++other) {
    if (std::find(group.begin(), group.end(), other) != group.end()) continue;
    const double bandwidth = link(other).bandwidth;
    if (bandwidth > 0) best = std::min(best, 1 / bandwidth);
  }
  return best;
}

double times_bytes(double seconds, std::uint64_t bytes) {
  return bytes == 0 ? 0 : seconds * static_cast<double>(bytes);
}

}  // namespace

DeviceWork::DeviceWork(const PlacementProblem& problem, std::size_t device)
    : wake(problem.devices[device].wake) {
  const std::size_t pieces = problem.pieces.size();
  const std::size_t wires = wire_count(problem);
  const auto runs = [&](std::size_t piece) { return std::isfinite(problem.cost[device][piece].seconds); };
  const auto add = [&](double StageWork::*of) {
    Part part;
    part.pieces.assign(pieces + 1, 0);
    for (std::size_t piece = 0; piece < pieces; ++piece)
      part.pieces[piece + 1] =
          part.pieces[piece] + (runs(piece) ? piece_work(problem, device, piece).*of : 0);
    for (std::size_t wire = 0; wire < wires; ++wire) {
      auto& inputs = part.input.emplace_back();
      auto& outputs = part.output.emplace_back();
      for (std::size_t cut = 0; cut <= pieces; ++cut) {
        inputs.push_back(input_work(problem, device, wire, cut).*of);
        outputs.push_back(output_work(problem, device, wire, cut).*of);
      }
    }
    parts.push_back(std::move(part));
  };
  add(&StageWork::computing);
  if (problem.devices[device].processors > 0) add(&StageWork::processors);
  seconds.assign(pieces + 1, 0);
  for (std::size_t piece = 0; piece < pieces; ++piece)
    seconds[piece + 1] = seconds[piece] + (runs(piece) ? problem.cost[device][piece].seconds : 0);
  // Where the front end runs, it narrows and widens as it passes tensors on.
  const bool is_source = device == problem.source;
  for (std::size_t wire = 0; wire < wires; ++wire) {
    const HopCost in = mean_hop_cost(problem, {{problem.source}}, {{device}}, 0, wire);
    const HopCost out = mean_hop_cost(problem, {{device}}, {{problem.source}}, pieces, wire);
    request.push_back(in.transfer + (is_source ? in.narrow : 0));
    answer.push_back(out.transfer + (is_source ? out.widen : 0));
  }
}

StageLoad::StageLoad(const PlacementProblem& problem, const std::vector<std::size_t>& devices,
                     const std::vector<std::shared_ptr<const DeviceWork>>& work)
    : problem_(problem), least_share_(least_share(devices.size())) {
  for (const std::size_t device : devices) {
    const double send =
        best_link(problem, devices, [&](std::size_t to) { return problem.links[device][to]; });
    const double receive =
        best_link(problem, devices, [&](std::size_t from) { return problem.links[from][device]; });
    members_.push_back({work[device], send, receive});
  }
}

// By cut, what crosses there keeps the member's link busy; `outer` is the front end's cut.
std::vector<double> StageLoad::on_link(double seconds_a_byte, std::size_t wire, std::size_t outer,
                                       double with_front_end) const {
  std::vector<double> seconds(problem_.pieces.size() + 1, 0);
  if (members_.size() == 1) return seconds;
  for (std::size_t cut = 1; cut + 1 < seconds.size(); ++cut)
    seconds[cut] = times_bytes(seconds_a_byte, wire_bytes(problem_, wire, cut));
  seconds[outer] = with_front_end;
  return seconds;
}

std::vector<CutSet> StageLoad::ends_within(double period, std::size_t input, std::size_t output,
                                           const std::vector<CutSet>& fits) const {
  const std::size_t pieces = fits.size();
  std::vector<CutSet> ends(pieces, CutSet(pieces + 1));
  std::vector<std::vector<double>> received;
  std::vector<std::vector<double>> sent;
  for (const Member& member : members_) {
    received.push_back(on_link(member.receive, input, 0, member.work->request[input]));
    sent.push_back(on_link(member.send, output, pieces, member.work->answer[output]));
  }
  const double least = least_share_ * (1 - kRounding);
  // The share that a device has time for.
  const auto share_of = [&](double busy) {
    const double share = busy > 0 ? period / busy : kInfinity;
    return share >= least ? share : -kInfinity;
  };
  for (std::size_t first = 0; first < pieces; ++first) {
    for (std::size_t end = first + 1; end <= pieces; ++end) {
      const bool fit = fits[first].has(end);
      double room = 0;     // the shares of all
      double further = 0;  // the same of a longer stage, at most
      for (std::size_t i = 0; i < members_.size(); ++i) {
        double before = received[i][first];
        double busy = std::max(before, sent[i][end]);
        for (const DeviceWork::Part& part : members_[i].work->parts) {
          const double part_before = part.pieces[end] - part.pieces[first] + part.input[input][first];
          before = std::max(before, part_before);
          busy = std::max(busy, part_before + part.output[output][end]);
        }
        further += share_of(before);
        if (fit) room += share_of(busy);
      }
      if (!(further >= 1 - kRounding)) break;
      if (fit && room >= 1 - kRounding) ends[first].add(end);
    }
  }
  return ends;
}

// As many requests as they have time for to those that are quickest.
double StageLoad::least_seconds(double period, std::size_t first, std::size_t end) const {
  std::vector<std::pair<double, double>> members;  // seconds of a request, the greatest share
  for (const Member& member : members_) {
    double busy = 0;
    for (const DeviceWork::Part& part : member.work->parts)
      busy = std::max(busy, part.pieces[end] - part.pieces[first]);
    const double seconds = member.work->wake + member.work->seconds[end] - member.work->seconds[first];
    members.emplace_back(seconds, busy > 0 ? period / busy : 1);
  }
  std::sort(members.begin(), members.end());
  double left = 1;
  double sum = 0;
  for (const auto& [seconds, most] : members) {
    const double share = std::min(left, most);
    sum += share * seconds;
    left -= share;
  }
  return sum;
}

}  // namespace lamina
