// The stages that a placement may still be made of.
#pragma once

#include "plan/stage_costs.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

namespace lamina {

// Of every stage that a machine can hold, or of some of a list. Copies share the list. The costs have to
// outlive it.
class StageGraph {
 public:
  struct Stage {
    std::uint32_t first = 0;
    std::uint32_t end = 0;
    std::uint32_t kind = 0;
    double seconds = 0;
    std::uint64_t bytes = 0;
  };
  using Stages = std::shared_ptr<const std::vector<Stage>>;
  static constexpr std::uint32_t kUnlisted = static_cast<std::uint32_t>(-1);

  // Every stage.
  explicit StageGraph(const StageCosts& costs);
  // Those of these indices into the list, which is ordered by first cut and kind; so are they.
  StageGraph(const StageCosts& costs, Stages listed, std::vector<std::uint32_t> chosen);
  // All of such a list.
  static StageGraph of(const StageCosts& costs, std::vector<Stage> listed);

  const StageCosts& costs() const { return *costs_; }
  bool is_listed() const { return listed_ != nullptr; }
  const Stages& listed() const { return listed_; }
  const std::vector<std::uint32_t>& chosen() const { return chosen_; }

  // Where stages may begin, by cut and kind.
  struct Start {
    std::uint32_t cut = 0;
    std::uint32_t kind = 0;
  };
  const std::vector<Start>& starts() const { return starts_; }

  // Calls visit(end, seconds, bytes, index in the list or kUnlisted) for the stages on the kind that begin at
  // `first` and that a machine with so much free memory can hold.
  template <typename Visit>
  void for_each_stage(std::size_t first, std::size_t kind, std::uint64_t room, const Visit& visit) const {
    if (!is_listed()) {
      costs_->for_each_stage(first, kind, room, [&](std::size_t end, double seconds, std::uint64_t bytes) {
        visit(end, seconds, bytes, kUnlisted);
      });
      return;
    }
    const std::size_t at = first * costs_->kinds() + kind;
    for (std::uint32_t i = begin_[at]; i < begin_[at + 1]; ++i) {
      const Stage& stage = (*listed_)[chosen_[i]];
      if (stage.bytes <= room) visit(std::size_t{stage.end}, stage.seconds, stage.bytes, chosen_[i]);
    }
  }

 private:
  const StageCosts* costs_;
  Stages listed_;
  std::vector<std::uint32_t> chosen_;
  std::vector<std::uint32_t> begin_;  // [cut][kind], in `chosen_`
  std::vector<Start> starts_;
};

}  // namespace lamina
