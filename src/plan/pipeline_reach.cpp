#include "plan/pipeline_reach.h"

#include <cstdint>
#include <utility>
#include <vector>

namespace lamina {

namespace {

class Reach {
 public:
  Reach(const PipelineTables& tables, const PeriodTables& allowed)
      : tables_(tables),
        allowed_(allowed),
        words_(tables.pieces / 64 + 1),
        reached_(tables.states.size() * tables.groups.size() * words_, 0),
        groups_of_(tables.states.size()) {}

  std::optional<Placement> run(const PipelineLimits& limits, const Deadline& deadline) {
    for (std::size_t state = 1; state < tables_.states.size(); ++state) {
      expect_time(deadline, state);
      if (tables_.taken(state) > limits.devices) continue;
      for (std::size_t group = 0; group < tables_.groups.size(); ++group) {
        if (!tables_.states.holds(state, tables_.groups[group]) || !fill(state, group)) continue;
        groups_of_[state].push_back(static_cast<std::uint32_t>(group));
        const bool complete = allowed_.lasts[group] && tables_.states.holds(state, tables_.required);
        if (complete && has(state, group, tables_.pieces)) return trace(state, group);
      }
    }
    return std::nullopt;
  }

 private:
  std::uint64_t* cell(std::size_t state, std::size_t group) {
    return &reached_[(state * tables_.groups.size() + group) * words_];
  }
  bool has(std::size_t state, std::size_t group, std::size_t cut) {
    return (cell(state, group)[cut / 64] >> (cut % 64) & 1U) != 0;
  }

  // The ends of stages of `group` with which the devices of `state` are taken; false where there are none.
  bool fill(std::size_t state, std::size_t group) {
    std::uint64_t* const ends = cell(state, group);
    const std::size_t before = state - tables_.groups[group].state;
    if (before == 0) {
      for (std::size_t wire = 0; wire < allowed_.ends[group].size(); ++wire) {
        if (allowed_.begins[tables_.beginning(group, wire)]) add(ends, allowed_.ends[group][wire].front());
      }
    } else {
      for (std::size_t wire = 0; wire < allowed_.ends[group].size(); ++wire)
        add_after(before, group, wire, ends);
    }
    for (std::size_t word = 0; word < words_; ++word) {
      if (ends[word] != 0) return true;
    }
    return false;
  }

  // The ends of those whose input comes in `wire`.
  void add_after(std::size_t before, std::size_t group, std::size_t wire, std::uint64_t* ends) {
    for (std::size_t word = 0; word < words_; ++word) {
      std::uint64_t starts = 0;
      for (const std::size_t from : groups_of_[before]) {
        if (tables_.groups[from].wire == wire)
          starts |= cell(before, from)[word] & tables_.cuts_after(allowed_, before, from, group).word(word);
      }
      for (; starts != 0; starts &= starts - 1) {
        const std::size_t cut = word * 64 + static_cast<std::size_t>(__builtin_ctzll(starts));
        if (cut < tables_.pieces) add(ends, allowed_.ends[group][wire][cut]);
      }
    }
  }

  void add(std::uint64_t* ends, const CutSet& more) const {
    for (std::size_t word = 0; word < words_; ++word) ends[word] |= more.word(word);
  }

  // The pipeline behind the last cut of a cell, from its end to its beginning.
  Placement trace(std::size_t state, std::size_t group) {
    std::vector<std::pair<std::size_t, std::size_t>> stages;
    std::size_t end = tables_.pieces;
    while (state != tables_.groups[group].state) {
      state -= tables_.groups[group].state;
      const auto [from, cut] = stage_before(state, group, end);
      stages.emplace_back(group, cut);
      group = from;
      end = cut;
    }
    stages.emplace_back(group, 0);
    return tables_.placement_of(stages, request_wire(group, end));
  }

  // In which requests to a first stage of `group` that ends at `end` keep the source's link least busy.
  std::size_t request_wire(std::size_t group, std::size_t end) const {
    const std::vector<FrontEndHop>& requests = tables_.of_group[group].requests;
    std::optional<std::size_t> best;
    for (std::size_t wire = 0; wire < requests.size(); ++wire) {
      if (!allowed_.begins[tables_.beginning(group, wire)] || !allowed_.ends[group][wire].front().has(end))
        continue;
      if (!best || requests[wire].source < requests[*best].source) best = wire;
    }
    return best.value();
  }

  // Of the stage before one of `group` that ends at `end`: its group and where it ends.
  std::pair<std::size_t, std::size_t> stage_before(std::size_t state, std::size_t group, std::size_t end) {
    for (const std::size_t from : groups_of_[state]) {
      const HopCuts& cuts = tables_.cuts_after(allowed_, state, from, group);
      const std::vector<CutSet>& ends = allowed_.ends[group][tables_.groups[from].wire];
      for (std::size_t cut = 1; cut < end; ++cut) {
        if (has(state, from, cut) && cuts.has(cut) && ends[cut].has(end)) return {from, cut};
      }
    }
    fail(ErrorCode::internal, "a stage that ends at piece {} came from nowhere", end);
  }

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  std::size_t words_;
  std::vector<std::uint64_t> reached_;                 // [state][group][word]
  std::vector<std::vector<std::uint32_t>> groups_of_;  // by state: those with an end
};

}  // namespace

std::optional<Placement> reach_end(const PipelineTables& tables, const PeriodTables& allowed,
                                   const PipelineLimits& limits, const Deadline& deadline) {
  return Reach(tables, allowed).run(limits, deadline);
}

}  // namespace lamina
