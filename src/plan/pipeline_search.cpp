#include "plan/pipeline_search.h"

#include "base/error.h"
#include "plan/replica_groups.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace lamina {

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();
// Sums over pieces are differences of longer sums here.
constexpr double kRounding = 1e-10;
// Bounds of what the tables may take.
constexpr double kMostStates = 70'000;
constexpr double kMostGroups = 2'000;
constexpr double kMostWords = 16e6;

// A set of cuts.
class CutSet {
 public:
  explicit CutSet(std::size_t cuts = 0) : words_((cuts + 63) / 64, 0) {}
  void add(std::size_t cut) { words_[cut / 64] |= std::uint64_t{1} << (cut % 64); }
  void keep(const CutSet& others) {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= others.words_[i];
  }
  bool has(std::size_t cut) const { return (words_[cut / 64] >> (cut % 64) & 1U) != 0; }
  std::uint64_t word(std::size_t index) const { return words_[index]; }

 private:
  std::vector<std::uint64_t> words_;
};

// What a hop from one group to another keeps busy, seconds a byte: of the source's link either way, and the
// most of any other device's.
struct HopLoad {
  double other = 0;
  double source_sending = 0;
  double source_receiving = 0;
  double round_trip = 0;  // mean over the shares, seconds
  double transfer = 0;    // mean over the shares, seconds a byte
};

// Groups that a pipeline may begin or end with.
using Allowed = std::vector<bool>;

double seconds_per_byte(const LinkCost& link) { return link.bandwidth > 0 ? 1 / link.bandwidth : kInfinity; }

// Infinitely slow times nothing is nothing here.
double times(double seconds, std::uint64_t bytes) {
  return bytes == 0 ? 0 : seconds * static_cast<double>(bytes);
}

HopLoad load_of(const PlacementProblem& problem, const std::vector<Replica>& from,
                const std::vector<Replica>& to) {
  HopLoad load;
  std::vector<double> receiving(to.size(), 0);
  for (const Replica& sender : from) {
    double sending = 0;
    for (std::size_t i = 0; i < to.size(); ++i) {
      const LinkCost& link = problem.links[sender.device][to[i].device];
      const double share = sender.share * to[i].share;
      const double busy = share * seconds_per_byte(link);
      load.round_trip += share * link.round_trip;
      load.transfer += busy;
      if (sender.device == to[i].device) {
        load.other = std::max(load.other, busy);
      } else {
        sending += busy;
        receiving[i] += busy;
      }
    }
    double& most = sender.device == problem.source ? load.source_sending : load.other;
    most = std::max(most, sending);
  }
  for (std::size_t i = 0; i < to.size(); ++i) {
    double& most = to[i].device == problem.source ? load.source_receiving : load.other;
    most = std::max(most, receiving[i]);
  }
  return load;
}

// Where a stage that begins at a cut may end, and the tables behind it.
struct GroupTable {
  std::vector<CutSet> fits;                  // by first piece: ends within memory where all pieces can run
  std::vector<std::vector<double>> seconds;  // by replica: Σ over the pieces before a cut, times its share
  std::vector<double> mean;                  // Σ over the replicas of the above, infinite pieces left out
  double wake = 0;                           // mean over the shares
  HopLoad in;                                // from the source
  HopLoad out;                               // back to it
};

}  // namespace

class PipelineSearch::Implementation {
 public:
  Implementation(const PlacementProblem& problem, std::size_t replicas)
      : problem_(problem),
        pieces_(problem.pieces.size()),
        words_((pieces_ + 1 + 63) / 64),
        kinds_(find_kinds(problem)),
        states_(kinds_),
        replicas_(most_replicas(kinds_, replicas)),
        groups_(make_groups(problem, kinds_, states_, replicas_)) {
    for (const auto& members : kinds_.members) fits_.push_back(fits_of(members.front()));
    for (const ReplicaGroup& group : groups_) tables_.push_back(table_of(group));
    for (const ReplicaGroup& from : groups_) {
      auto& row = hops_.emplace_back();
      for (const ReplicaGroup& to : groups_)
        row.push_back(load_of(problem_, from.replicas, beside(from, to)));
    }
    by_bytes_.resize(pieces_ + 1);
    std::iota(by_bytes_.begin(), by_bytes_.end(), std::size_t{0});
    std::sort(by_bytes_.begin(), by_bytes_.end(),
              [&](std::size_t a, std::size_t b) { return problem_.cut_bytes[a] < problem_.cut_bytes[b]; });
    CutSet cuts(pieces_ + 1);
    up_to_.push_back(cuts);
    for (const std::size_t cut : by_bytes_) {
      cuts.add(cut);
      up_to_.push_back(cuts);
    }
  }

  // The most replicas, up to those asked for, whose groups the tables can hold.
  static std::size_t most_replicas(const DeviceKinds& kinds, std::size_t wanted) {
    std::size_t devices = 0;
    double states = 1;
    for (const auto& members : kinds.members) {
      devices += members.size();
      states *= static_cast<double>(members.size() + 1);
    }
    for (std::size_t replicas = std::min(wanted, devices); replicas > 1; --replicas) {
      const double groups = count_groups(kinds, replicas);
      if (groups <= kMostGroups && groups * states <= kMostWords / 4) return replicas;
    }
    return 1;
  }

  std::size_t replicas() const { return replicas_; }

  std::optional<Placement> find_any(const PipelineLimits& limits, const Deadline& deadline) const {
    const auto relaxed = [&](const Allowed& first, const Allowed& last) {
      return reach(limits, first, last, deadline);
    };
    return branch(limits, relaxed, true);
  }

  std::optional<Placement> find_least_latency(const PipelineLimits& limits, const Deadline& deadline) const {
    const auto relaxed = [&](const Allowed& first, const Allowed& last) {
      return least_latency(limits, first, last, deadline);
    };
    return branch(limits, relaxed, false);
  }

 private:
  static double count_groups(const DeviceKinds& kinds, std::size_t largest) {
    std::vector<double> ways(largest + 1, 0);
    ways[0] = 1;
    for (const auto& members : kinds.members) {
      std::vector<double> next(largest + 1, 0);
      for (std::size_t sum = 0; sum <= largest; ++sum) {
        for (std::size_t count = 0; count <= std::min(sum, members.size()); ++count)
          next[sum] += ways[sum - count];
      }
      ways = std::move(next);
    }
    return std::accumulate(ways.begin() + 1, ways.end(), 0.0);
  }

  // The devices of `group` where those of `taken` are taken already.
  std::vector<Replica> beside(const ReplicaGroup& taken, const ReplicaGroup& group) const {
    std::vector<Replica> replicas = group.replicas;
    std::size_t at = 0;
    for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
      const auto& members = kinds_.members[kind];
      for (std::size_t i = 0; i < group.counts[kind]; ++i) {
        replicas[at++].device = members[(taken.counts[kind] + i) % members.size()];
      }
    }
    return replicas;
  }

  GroupTable table_of(const ReplicaGroup& group) const {
    GroupTable table;
    table.mean.assign(pieces_ + 1, 0);
    for (const Replica& replica : group.replicas) {
      auto& sums = table.seconds.emplace_back(pieces_ + 1, 0);
      for (std::size_t piece = 0; piece < pieces_; ++piece) {
        const double seconds = problem_.cost[replica.device][piece].seconds;
        sums[piece + 1] = sums[piece] + (std::isfinite(seconds) ? replica.share * seconds : 0);
      }
      for (std::size_t cut = 0; cut <= pieces_; ++cut) table.mean[cut] += sums[cut];
      table.wake += replica.share * problem_.devices[replica.device].wake;
    }
    for (std::size_t kind = 0; kind < group.counts.size(); ++kind) {
      if (group.counts[kind] == 0) continue;
      if (table.fits.empty()) {
        table.fits = fits_[kind];
      } else {
        for (std::size_t first = 0; first < pieces_; ++first) table.fits[first].keep(fits_[kind][first]);
      }
    }
    const std::vector<Replica> source = {{problem_.source}};
    table.in = load_of(problem_, source, group.replicas);
    table.out = load_of(problem_, group.replicas, source);
    return table;
  }

  // By first piece, the ends of stages whose pieces run on the device, within its memory.
  std::vector<CutSet> fits_of(std::size_t device) const {
    std::vector<CutSet> fits(pieces_, CutSet(pieces_ + 1));
    for (std::size_t first = 0; first < pieces_; ++first) {
      std::uint64_t weights = 0;
      std::uint64_t activations = 0;
      const std::uint64_t inputs = problem_.waiting_inputs * problem_.cut_bytes[first];
      for (std::size_t piece = first; piece < pieces_; ++piece) {
        const PieceCost& cost = problem_.cost[device][piece];
        if (!std::isfinite(cost.seconds)) break;
        weights += cost.weight_bytes;
        activations = std::max(activations, cost.activation_bytes);
        const std::uint64_t memory = weights + activations + inputs + problem_.cut_bytes[piece + 1];
        if (memory <= problem_.devices[device].memory_budget) fits[first].add(piece + 1);
      }
    }
    return fits;
  }

  // ---- what a period allows

  // The ends of stages that begin at each cut, for one group.
  std::vector<CutSet> ends_within(const GroupTable& table, double period) const {
    std::vector<CutSet> ends(pieces_, CutSet(pieces_ + 1));
    std::size_t reach = 0;
    for (std::size_t first = 0; first < pieces_; ++first) {
      reach = std::max(reach, first);
      const auto within = [&](std::size_t end) {
        return std::all_of(table.seconds.begin(), table.seconds.end(),
                           [&](const auto& sums) { return sums[end] - sums[first] <= period; });
      };
      while (reach < pieces_ && within(reach + 1)) ++reach;
      for (std::size_t end = first + 1; end <= reach; ++end) {
        if (table.fits[first].has(end)) ends[first].add(end);
      }
    }
    return ends;
  }

  // The cuts that a hop may lie at. `sending` and `receiving` are what the source's link does besides.
  const CutSet& cuts_within(const HopLoad& hop, double period, double sending, double receiving) const {
    if (!std::isfinite(hop.round_trip)) return up_to_.front();
    std::size_t low = 0;
    std::size_t high = by_bytes_.size();
    while (low < high) {
      const std::size_t middle = (low + high) / 2;
      const std::uint64_t bytes = problem_.cut_bytes[by_bytes_[middle]];
      const bool fits = times(hop.other, bytes) <= period &&
                        times(hop.source_sending, bytes) + sending <= period &&
                        times(hop.source_receiving, bytes) + receiving <= period;
      if (fits) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    return up_to_[low];
  }

  bool can_begin(std::size_t group, double period) const {
    const HopLoad& in = tables_[group].in;
    const std::uint64_t bytes = problem_.cut_bytes.front();
    return std::isfinite(in.round_trip) &&
           std::max({times(in.other, bytes), times(in.source_sending, bytes)}) <= period;
  }
  bool can_end(std::size_t group, double period) const {
    const HopLoad& out = tables_[group].out;
    const std::uint64_t bytes = problem_.cut_bytes.back();
    return std::isfinite(out.round_trip) &&
           std::max({times(out.other, bytes), times(out.source_receiving, bytes)}) <= period;
  }

  // Everything that depends on the period, the groups to begin with and those to end with.
  struct Tables {
    std::vector<std::vector<CutSet>> ends;                      // [group][first piece]
    std::vector<std::vector<const CutSet*>> cuts;               // [from][to]
    std::vector<std::vector<const CutSet*>> cuts_of_the_first;  // the same where `from` is the first stage
    Allowed begins;
    Allowed lasts;
  };

  // With several groups to begin (end) with, the source's link is charged for the least of their requests
  // (answers): a relaxation, which branch() makes exact.
  Tables tables_within(const PipelineLimits& limits, const Allowed& first, const Allowed& last) const {
    Tables tables;
    tables.begins.resize(groups_.size());
    tables.lasts.resize(groups_.size());
    double sending = kInfinity;
    double receiving = kInfinity;
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      tables.ends.push_back(ends_within(tables_[group], limits.period));
      tables.begins[group] = first[group] && can_begin(group, limits.period);
      tables.lasts[group] = last[group] && can_end(group, limits.period);
      if (tables.begins[group])
        sending = std::min(sending, times(tables_[group].in.source_sending, problem_.cut_bytes.front()));
      if (tables.lasts[group])
        receiving =
            std::min(receiving, times(tables_[group].out.source_receiving, problem_.cut_bytes.back()));
    }
    for (std::size_t from = 0; from < groups_.size(); ++from) {
      auto& row = tables.cuts.emplace_back();
      auto& row_of_the_first = tables.cuts_of_the_first.emplace_back();
      const double own = times(tables_[from].in.source_sending, problem_.cut_bytes.front());
      for (std::size_t to = 0; to < groups_.size(); ++to) {
        row.push_back(&cuts_within(hops_[from][to], limits.period, sending, receiving));
        row_of_the_first.push_back(&cuts_within(hops_[from][to], limits.period, own, receiving));
      }
    }
    return tables;
  }

  // ---- whether there is a pipeline

  std::optional<Placement> reach(const PipelineLimits& limits, const Allowed& first, const Allowed& last,
                                 const Deadline& deadline) const {
    const Tables tables = tables_within(limits, first, last);
    const std::size_t row = groups_.size() * words_;
    std::vector<std::uint64_t> reached(states_.size() * row, 0);
    const auto cell = [&](std::size_t state, std::size_t group) {
      return &reached[state * row + group * words_];
    };
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      if (!tables.begins[group] || groups_[group].replicas.size() > limits.devices) continue;
      join(cell(groups_[group].state, group), tables.ends[group][0]);
    }
    const std::uint64_t last_bit = std::uint64_t{1} << (pieces_ % 64);
    for (std::size_t state = 1; state < states_.size(); ++state) {
      expect_time(deadline, state);
      for (std::size_t group = 0; group < groups_.size(); ++group) {
        std::uint64_t* const from = cell(state, group);
        if (std::all_of(from, from + words_, [](std::uint64_t word) { return word == 0; })) continue;
        if ((from[words_ - 1] & last_bit) != 0 && tables.lasts[group])
          return trace(tables, state, group, [&](std::size_t at, std::size_t in) { return cell(at, in); });
        from[words_ - 1] &= ~last_bit;
        if (taken(state) >= limits.devices) continue;
        const auto& cuts =
            state == groups_[group].state ? tables.cuts_of_the_first[group] : tables.cuts[group];
        for (std::size_t next = 0; next < groups_.size(); ++next) {
          if (!states_.has_room(state, groups_[next])) continue;
          if (taken(state) + groups_[next].replicas.size() > limits.devices) continue;
          std::uint64_t* const to = cell(state + groups_[next].state, next);
          for (std::size_t word = 0; word < words_; ++word) {
            for (std::uint64_t bits = from[word] & cuts[next]->word(word); bits != 0; bits &= bits - 1) {
              join(to, tables.ends[next][word * 64 + static_cast<std::size_t>(__builtin_ctzll(bits))]);
            }
          }
        }
      }
    }
    return std::nullopt;
  }

  void join(std::uint64_t* cell, const CutSet& cuts) const {
    for (std::size_t word = 0; word < words_; ++word) cell[word] |= cuts.word(word);
  }

  std::size_t taken(std::size_t state) const {
    std::size_t devices = 0;
    for (std::size_t kind = 0; kind < kinds_.members.size(); ++kind) devices += states_.count(state, kind);
    return devices;
  }

  // The pipeline behind the last cut of a cell, from its end to its beginning.
  template <typename Cell>
  Placement trace(const Tables& tables, std::size_t state, std::size_t group, const Cell& cell) const {
    std::vector<std::pair<std::size_t, std::size_t>> stages;  // group and first piece, the last first
    std::size_t end = pieces_;
    while (true) {
      const std::size_t before = state - groups_[group].state;
      if (before == 0) {
        stages.emplace_back(group, 0);
        return placement_of(stages);
      }
      const auto [from, cut] = stage_before(tables, before, group, end, cell);
      stages.emplace_back(group, cut);
      state = before;
      group = from;
      end = cut;
    }
  }

  template <typename Cell>
  std::pair<std::size_t, std::size_t> stage_before(const Tables& tables, std::size_t state, std::size_t group,
                                                   std::size_t end, const Cell& cell) const {
    for (std::size_t from = 0; from < groups_.size(); ++from) {
      if (!states_.holds(state, groups_[from])) continue;
      const auto& cuts = state == groups_[from].state ? tables.cuts_of_the_first[from] : tables.cuts[from];
      for (std::size_t cut = 1; cut < end; ++cut) {
        const bool reached = (cell(state, from)[cut / 64] >> (cut % 64) & 1U) != 0;
        if (reached && cuts[group]->has(cut) && tables.ends[group][cut].has(end)) return {from, cut};
      }
    }
    fail(ErrorCode::internal, "a stage that ends at piece {} came from nowhere", end);
  }

  // `stages`: group and first piece, the last stage first.
  Placement placement_of(const std::vector<std::pair<std::size_t, std::size_t>>& stages) const {
    std::vector<PlacedStage> placed;
    std::vector<std::size_t> used(kinds_.members.size(), 0);
    for (auto stage = stages.rbegin(); stage != stages.rend(); ++stage) {
      if (!placed.empty()) placed.back().end_piece = stage->second;
      const ReplicaGroup& group = groups_[stage->first];
      std::vector<Replica> replicas = group.replicas;
      std::size_t at = 0;
      for (std::size_t kind = 0; kind < used.size(); ++kind) {
        for (std::size_t i = 0; i < group.counts[kind]; ++i)
          replicas[at++].device = kinds_.members[kind][used[kind]++];
      }
      placed.push_back({std::move(replicas), stage->second, pieces_});
    }
    return evaluate(problem_, std::move(placed));
  }

  // ---- the pipeline of least latency

  double stage_seconds(std::size_t group, std::size_t first, std::size_t end) const {
    return tables_[group].wake + tables_[group].mean[end] - tables_[group].mean[first];
  }
  double hop_of(const HopLoad& hop, std::size_t cut) const {
    return hop.round_trip / 2 + times(hop.transfer, problem_.cut_bytes[cut]);
  }

  // The least time from each cut to the end after a stage of each group, devices that are taken left aside.
  std::vector<std::vector<double>> completion(const Tables& tables) const {
    std::vector<std::vector<double>> least(pieces_ + 1, std::vector<double>(groups_.size(), kInfinity));
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      if (tables.lasts[group]) least[pieces_][group] = hop_of(tables_[group].out, pieces_);
    }
    for (std::size_t cut = pieces_; cut-- > 1;) {
      for (std::size_t next = 0; next < groups_.size(); ++next) {
        const double rest = stage_and_rest(tables, least, cut, next);
        if (rest == kInfinity) continue;
        for (std::size_t group = 0; group < groups_.size(); ++group) {
          const bool allowed =
              tables.cuts[group][next]->has(cut) || tables.cuts_of_the_first[group][next]->has(cut);
          if (!allowed || !states_.has_room(groups_[group].state, groups_[next])) continue;
          least[cut][group] = std::min(least[cut][group], hop_of(hops_[group][next], cut) + rest);
        }
      }
    }
    return least;
  }

  double stage_and_rest(const Tables& tables, const std::vector<std::vector<double>>& least,
                        std::size_t first, std::size_t group) const {
    double best = kInfinity;
    for (std::size_t end = first + 1; end <= pieces_; ++end) {
      if (tables.ends[group][first].has(end))
        best = std::min(best, stage_seconds(group, first, end) + least[end][group]);
    }
    return best;
  }

  // The best way to a cut so far.
  struct Way {
    double latency = kInfinity;
    std::uint32_t from = 0;  // group of the stage before
    std::uint32_t cut = 0;   // where the last stage begins
  };

  std::optional<Placement> least_latency(const PipelineLimits& limits, const Allowed& first,
                                         const Allowed& last, const Deadline& deadline) const {
    const Tables tables = tables_within(limits, first, last);
    const auto least = completion(tables);
    double bound = kInfinity;
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      if (tables.begins[group])
        bound = std::min(bound, hop_of(tables_[group].in, 0) + stage_and_rest(tables, least, 0, group));
    }
    // Ways that can't come in under a latency are left out; that latency grows until there is a pipeline.
    if (!std::isfinite(bound)) return std::nullopt;
    for (const double margin : {1.02, 1.1, 1.5, kInfinity}) {
      const double most = std::isfinite(margin) ? std::min(limits.latency, bound * margin) : limits.latency;
      auto found = least_latency_under(most, tables, least, limits, deadline);
      if (found || most == limits.latency) return found;
    }
    return std::nullopt;
  }

  std::optional<Placement> least_latency_under(double most, const Tables& tables,
                                               const std::vector<std::vector<double>>& least,
                                               const PipelineLimits& limits, const Deadline& deadline) const {
    std::vector<std::vector<Way>> ways(states_.size() * groups_.size());
    const auto ways_of = [&](std::size_t state, std::size_t group) -> std::vector<Way>& {
      return ways[state * groups_.size() + group];
    };
    const auto extend = [&](std::size_t state, std::size_t group, double before, std::size_t from,
                            std::size_t cut) {
      std::vector<Way>& to = ways_of(state, group);
      for (std::size_t end = cut + 1; end <= pieces_; ++end) {
        if (!tables.ends[group][cut].has(end)) continue;
        const double latency = before + stage_seconds(group, cut, end);
        if (!(latency + least[end][group] <= most)) continue;
        if (to.empty()) to.resize(pieces_ + 1);
        if (latency < to[end].latency)
          to[end] = {latency, static_cast<std::uint32_t>(from), static_cast<std::uint32_t>(cut)};
      }
    };
    for (std::size_t group = 0; group < groups_.size(); ++group) {
      if (tables.begins[group] && groups_[group].replicas.size() <= limits.devices)
        extend(groups_[group].state, group, hop_of(tables_[group].in, 0), group, 0);
    }
    double best = kInfinity;
    std::pair<std::size_t, std::size_t> best_at;
    for (std::size_t state = 1; state < states_.size(); ++state) {
      expect_time(deadline, state);
      for (std::size_t group = 0; group < groups_.size(); ++group) {
        const std::vector<Way>& from = ways_of(state, group);
        if (from.empty()) continue;
        const double whole = from[pieces_].latency + least[pieces_][group];
        if (whole < best) {
          best = whole;
          best_at = {state, group};
        }
        const auto& cuts =
            state == groups_[group].state ? tables.cuts_of_the_first[group] : tables.cuts[group];
        for (std::size_t next = 0; next < groups_.size(); ++next) {
          if (!states_.has_room(state, groups_[next])) continue;
          if (taken(state) + groups_[next].replicas.size() > limits.devices) continue;
          for (std::size_t cut = 1; cut < pieces_; ++cut) {
            if (from[cut].latency == kInfinity || !cuts[next]->has(cut)) continue;
            extend(state + groups_[next].state, next, from[cut].latency + hop_of(hops_[group][next], cut),
                   group, cut);
          }
        }
      }
    }
    if (best == kInfinity) return std::nullopt;
    std::vector<std::pair<std::size_t, std::size_t>> stages;
    auto [state, group] = best_at;
    for (std::size_t end = pieces_; end > 0;) {
      const Way& way = ways_of(state, group)[end];
      stages.emplace_back(group, way.cut);
      state -= groups_[group].state;
      group = way.from;
      end = way.cut;
    }
    return placement_of(stages);
  }

  // ---- the source's link, exactly

  // `relaxed` solves for groups to begin and to end with, charging the source's link too little where there
  // are several; its answer holds if it keeps the period all the same, else the groups are divided. `any`:
  // the first pipeline will do; otherwise the one of least latency is wanted.
  template <typename Relaxed>
  std::optional<Placement> branch(const PipelineLimits& limits, const Relaxed& relaxed, bool any) const {
    std::optional<Placement> best;
    std::vector<std::pair<Allowed, Allowed>> open = {
        {Allowed(groups_.size(), true), Allowed(groups_.size(), true)}};
    while (!open.empty()) {
      auto [first, last] = std::move(open.back());
      open.pop_back();
      const std::optional<Placement> found = relaxed(first, last);
      if (!found || (best && found->latency >= best->latency)) continue;
      if (found->period <= limits.period * (1 + kRounding)) {
        if (any) return found;
        best = found;
        continue;
      }
      const bool by_first = std::count(first.begin(), first.end(), true) > 1;
      Allowed& divided = by_first ? first : last;
      const std::size_t group = group_of(by_first ? found->stages.front() : found->stages.back());
      Allowed alone(groups_.size(), false);
      alone[group] = true;
      Allowed others = divided;
      others[group] = false;
      const bool single = std::count(divided.begin(), divided.end(), true) <= 1;
      if (single) {
        fail(ErrorCode::internal, "a pipeline of period {} s where {} s was asked for", found->period,
             limits.period);
      }
      for (const Allowed& part : {others, alone}) {
        open.push_back(by_first ? std::pair(part, last) : std::pair(first, part));
      }
    }
    return best;
  }

  std::size_t group_of(const PlacedStage& stage) const {
    std::vector<std::size_t> counts(kinds_.members.size(), 0);
    for (const Replica& replica : stage.replicas) {
      for (std::size_t kind = 0; kind < counts.size(); ++kind) {
        const auto& members = kinds_.members[kind];
        if (std::find(members.begin(), members.end(), replica.device) != members.end()) ++counts[kind];
      }
    }
    const std::size_t state = states_.state_of(counts);
    return static_cast<std::size_t>(std::find_if(groups_.begin(), groups_.end(),
                                                 [&](const auto& group) { return group.state == state; }) -
                                    groups_.begin());
  }

  static void expect_time(const Deadline& deadline, std::size_t step) {
    if (step % 64 == 0 && deadline.passed())
      fail(ErrorCode::deadline_exceeded, "no proof within the time limit of the planner");
  }

  const PlacementProblem& problem_;
  std::size_t pieces_;
  std::size_t words_;
  DeviceKinds kinds_;
  StateSpace states_;
  std::size_t replicas_;
  std::vector<ReplicaGroup> groups_;
  std::vector<std::vector<CutSet>> fits_;  // by kind
  std::vector<GroupTable> tables_;
  std::vector<std::vector<HopLoad>> hops_;
  std::vector<std::size_t> by_bytes_;  // cuts, the one that the fewest bytes cross first
  std::vector<CutSet> up_to_;          // the first n of them
};

PipelineSearch::PipelineSearch(const PlacementProblem& problem, std::size_t replicas)
    : implementation_(std::make_unique<Implementation>(problem, replicas)) {}
PipelineSearch::~PipelineSearch() = default;

bool PipelineSearch::is_small_enough(const PlacementProblem& problem) {
  double states = 1;
  const DeviceKinds kinds = find_kinds(problem);
  for (const auto& members : kinds.members) states *= static_cast<double>(members.size() + 1);
  const double groups = static_cast<double>(kinds.members.size());
  return states <= kMostStates &&
         states * groups * static_cast<double>(problem.pieces.size() / 64 + 1) <= kMostWords;
}

std::size_t PipelineSearch::replicas() const { return implementation_->replicas(); }

std::optional<Placement> PipelineSearch::find_any(const PipelineLimits& limits,
                                                  const Deadline& deadline) const {
  return implementation_->find_any(limits, deadline);
}

std::optional<Placement> PipelineSearch::find_least_latency(const PipelineLimits& limits,
                                                            const Deadline& deadline) const {
  return implementation_->find_least_latency(limits, deadline);
}

}  // namespace lamina
