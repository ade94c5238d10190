#include "plan/pipeline_reach.h"

#include "plan/shared_pipeline.h"

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

  std::optional<Placement> run(const PipelineLimits& limits, WalkEffort& effort) {
    std::optional<PipelineEnd> missed;
    for (std::size_t state = 1; state < tables_.states.size(); ++state) {
      expect_time(effort.deadline, state);
      if (tables_.taken(state) > limits.devices) continue;
      for (std::size_t group = 0; group < tables_.groups.size(); ++group) {
        if (!tables_.states.holds(state, tables_.groups[group]) || !fill(state, group)) continue;
        groups_of_[state].push_back(static_cast<std::uint32_t>(group));
        const bool complete = allowed_.lasts[group] && tables_.states.holds(state, tables_.required);
        if (!complete || !has(state, group, tables_.pieces)) continue;
        const PipelineEnd end{state, group, tables_.pieces};
        if (tables_.replicas == 1) return walk().first(end);
        if (auto found = one_within(limits.period, end, effort)) return found;
        if (!effort.complete && !missed) missed = end;
        if (effort.looks == 0 && missed) return walk().first(*missed);
      }
    }
    return missed ? walk().first(*missed) : std::nullopt;
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
      for (std::size_t wire = 0; wire < allowed_.stages.ends[group].size(); ++wire) {
        if (allowed_.begins[tables_.beginning(group, wire)])
          add(ends, allowed_.stages.ends[group][wire].front());
      }
    } else {
      for (std::size_t wire = 0; wire < allowed_.stages.ends[group].size(); ++wire)
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
        if (cut < tables_.pieces) add(ends, allowed_.stages.ends[group][wire][cut]);
      }
    }
  }

  void add(std::uint64_t* ends, const CutSet& more) const {
    for (std::size_t word = 0; word < words_; ++word) ends[word] |= more.word(word);
  }

  PipelineWalk walk() {
    return {tables_, allowed_, &FrontEndHop::source,
            [this](const PipelineEnd& end) { return ends_before(end); }};
  }

  // One whose shares keep the period.
  std::optional<Placement> one_within(double period, const PipelineEnd& end, WalkEffort& effort) {
    std::optional<Placement> found;
    const auto visit = [&](std::vector<PlacedStage> stages, std::size_t return_wire) {
      const SharedPipeline pipeline(tables_.problem, tables_.kinds, std::move(stages), return_wire);
      auto within = pipeline.find_within(period, effort.looks);
      effort.complete = effort.complete && (within.placement || within.proven);
      found = std::move(within.placement);
      return found.has_value();
    };
    walk().all_within(period, end, effort, visit);
    return found;
  }

  std::vector<PipelineEnd> ends_before(const PipelineEnd& end) {
    std::vector<PipelineEnd> before;
    const std::size_t state = end.state - tables_.groups[end.group].state;
    for (const std::size_t from : groups_of_[state]) {
      const HopCuts& cuts = tables_.cuts_after(allowed_, state, from, end.group);
      const std::vector<CutSet>& ends = allowed_.stages.ends[end.group][tables_.groups[from].wire];
      for (std::size_t cut = 1; cut < end.cut; ++cut) {
        if (has(state, from, cut) && cuts.has(cut) && ends[cut].has(end.cut))
          before.push_back({state, from, cut});
      }
    }
    return before;
  }

  const PipelineTables& tables_;
  const PeriodTables& allowed_;
  std::size_t words_;
  std::vector<std::uint64_t> reached_;                 // [state][group][word]
  std::vector<std::vector<std::uint32_t>> groups_of_;  // by state: those with an end
};

}  // namespace

std::optional<Placement> reach_end(const PipelineTables& tables, const PeriodTables& allowed,
                                   const PipelineLimits& limits, WalkEffort& effort) {
  return Reach(tables, allowed).run(limits, effort);
}

}  // namespace lamina
