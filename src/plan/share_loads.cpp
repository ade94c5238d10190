#include "plan/share_loads.h"

#include <algorithm>
#include <utility>

namespace lamina {

namespace {

constexpr double kLeastOfEvenShare = 0.02;

class Builder {
 public:
  Builder(const PlacementProblem& problem, const std::vector<PlacedStage>& stages, std::size_t return_wire)
      : problem_(problem), stages_(stages), return_wire_(return_wire) {}

  ShareLoads build(const DeviceKinds& kinds) {
    add_parties(kinds);
    if (stages_.front().first_piece == 0) add_requests();
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      for (const std::size_t party : members_[stage]) add_work(stage, party);
      if (stage + 1 < stages_.size()) add_hop(stage);
    }
    add_answers();
    add({}, std::move(source_sending_));
    add({}, std::move(source_receiving_));
    return std::move(result_);
  }

 private:
  void add_parties(const DeviceKinds& kinds) {
    for (std::size_t stage = 0; stage < stages_.size(); ++stage) {
      const std::vector<Replica>& replicas = stages_[stage].replicas;
      auto& members = members_.emplace_back();
      for (const Replica& replica : replicas) {
        const auto known = std::find_if(members.begin(), members.end(), [&](std::size_t party) {
          return kinds.kind_of[result_.parties[party].device] == kinds.kind_of[replica.device];
        });
        const std::size_t index = known == members.end() ? result_.parties.size() : *known;
        if (index == result_.parties.size()) {
          members.push_back(index);
          result_.parties.push_back({stage, replica.device});
        }
        ShareParty& party = result_.parties[index];
        party.devices += 1;
        party.least += least_share(replicas.size());
      }
      if (members.size() == 1) result_.parties[members.front()].alone = true;
    }
  }

  const ShareParty& party(std::size_t index) const { return result_.parties[index]; }
  bool is_source(std::size_t index) const { return party(index).device == problem_.source; }

  void add(std::optional<std::size_t> party, ShareSum seconds) {
    if (!seconds.empty()) result_.loads.push_back({party, std::move(seconds)});
  }

  void add_work(std::size_t stage, std::size_t index) {
    const PlacedStage& of = stages_[stage];
    const std::size_t device = party(index).device;
    StageWork work;
    const auto add_part = [&work](const StageWork& part) {
      work.computing += part.computing;
      work.processors += part.processors;
    };
    double seconds = problem_.devices[device].wake;
    for (std::size_t piece = of.first_piece; piece < of.end_piece; ++piece) {
      add_part(piece_work(problem_, device, piece));
      seconds += problem_.cost[device][piece].seconds;
    }
    if (stage > 0 || of.first_piece == 0) add_part(input_work(problem_, device, *of.wire, of.first_piece));
    const std::size_t out = stage + 1 < stages_.size() ? *stages_[stage + 1].wire : return_wire_;
    add_part(output_work(problem_, device, out, of.end_piece));
    add(index, {{std::max(work.computing, work.processors) / party(index).devices, index}});
    result_.latency.push_back({seconds, index});
  }

  HopCost cost(std::size_t from, std::size_t to, std::size_t cut, std::size_t wire) const {
    return mean_hop_cost(problem_, {{from}}, {{to}}, cut, wire);
  }

  // Between the front end and one that it sends to or receives from; `own` is the front end's work.
  void add_front_end(std::size_t index, const HopCost& hop, double own, ShareSum& of_source) {
    const double devices = party(index).devices;
    if (is_source(index)) {
      add(index, {{hop.transfer + own, index}});
    } else {
      add(index, {{hop.transfer / devices, index}});
      of_source.push_back({hop.transfer + own, index});
    }
    result_.latency.push_back({hop.seconds(), index});
  }

  void add_requests() {
    for (const std::size_t index : members_.front()) {
      const HopCost hop = cost(problem_.source, party(index).device, 0, *stages_.front().wire);
      add_front_end(index, hop, hop.narrow, source_sending_);
    }
  }

  void add_answers() {
    for (const std::size_t index : members_.back()) {
      const HopCost hop = cost(party(index).device, problem_.source, problem_.pieces.size(), return_wire_);
      add_front_end(index, hop, hop.widen, source_receiving_);
    }
  }

  // From a stage to the next.
  void add_hop(std::size_t stage) {
    const PlacedStage& next = stages_[stage + 1];
    const std::vector<std::size_t>& receivers = members_[stage + 1];
    std::vector<ShareSum> receiving(receivers.size());
    for (const std::size_t from : members_[stage]) {
      ShareSum sending;
      for (std::size_t i = 0; i < receivers.size(); ++i) {
        const std::size_t to = receivers[i];
        const HopCost hop = cost(party(from).device, party(to).device, next.first_piece, *next.wire);
        sending.push_back({hop.transfer / party(from).devices, from, to});
        receiving[i].push_back({hop.transfer / party(to).devices, from, to});
        result_.latency.push_back({hop.seconds(), from, to});
      }
      keep_busy(from, std::move(sending), source_sending_);
    }
    for (std::size_t i = 0; i < receivers.size(); ++i)
      keep_busy(receivers[i], std::move(receiving[i]), source_receiving_);
  }

  void keep_busy(std::size_t index, ShareSum seconds, ShareSum& of_source) {
    if (is_source(index)) {
      of_source.insert(of_source.end(), seconds.begin(), seconds.end());
    } else {
      add(index, std::move(seconds));
    }
  }

  const PlacementProblem& problem_;
  const std::vector<PlacedStage>& stages_;
  const std::size_t return_wire_;
  std::vector<std::vector<std::size_t>> members_;  // parties by stage
  ShareSum source_sending_;
  ShareSum source_receiving_;
  ShareLoads result_;
};

}  // namespace

double least_share(std::size_t replicas) {
  return replicas == 1 ? 1 : kLeastOfEvenShare / static_cast<double>(replicas);
}

ShareLoads share_loads_of(const PlacementProblem& problem, const DeviceKinds& kinds,
                          const std::vector<PlacedStage>& stages, std::size_t return_wire) {
  return Builder(problem, stages, return_wire).build(kinds);
}

double value_of(const ShareSum& sum, const std::vector<double>& shares) {
  double value = 0;
  for (const ShareTerm& term : sum)
    value += term.seconds * shares[term.one] * (term.other ? shares[*term.other] : 1);
  return value;
}

double longest_of(const ShareLoads& loads, const std::vector<double>& shares) {
  double longest = 0;
  for (const ShareLoad& load : loads.loads) longest = std::max(longest, value_of(load.seconds, shares));
  return longest;
}

}  // namespace lamina
