#include "plan/stage_graph.h"

#include <numeric>

namespace lamina {

StageGraph::StageGraph(const StageCosts& costs) : costs_(&costs) {
  for (std::uint32_t cut = 0; cut < costs.pieces(); ++cut) {
    for (std::uint32_t kind = 0; kind < costs.kinds(); ++kind) starts_.push_back({cut, kind});
  }
}

StageGraph::StageGraph(const StageCosts& costs, Stages listed, std::vector<std::uint32_t> chosen)
    : costs_(&costs),
      listed_(std::move(listed)),
      chosen_(std::move(chosen)),
      begin_(costs.pieces() * costs.kinds() + 1, 0) {
  for (const std::uint32_t index : chosen_) {
    const Stage& stage = (*listed_)[index];
    std::uint32_t& count = begin_[stage.first * costs.kinds() + stage.kind + 1];
    if (count++ == 0) starts_.push_back({stage.first, stage.kind});
  }
  std::partial_sum(begin_.begin(), begin_.end(), begin_.begin());
}

StageGraph StageGraph::of(const StageCosts& costs, std::vector<Stage> listed) {
  std::vector<std::uint32_t> all(listed.size());
  std::iota(all.begin(), all.end(), std::uint32_t{0});
  return {costs, std::make_shared<const std::vector<Stage>>(std::move(listed)), std::move(all)};
}

}  // namespace lamina
