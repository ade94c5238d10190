#include "profile/model_description.h"

#include <algorithm>
#include <cstddef>

namespace lamina {

namespace {

std::uint64_t weight_bytes(const Graph& stage) {
  std::uint64_t bytes = 0;
  for (const Weight& weight : stage.weights()) bytes += weight.data.data().size();
  return bytes;
}

std::uint64_t bytes_of(const Graph& graph, const std::vector<ValueId>& values, std::int64_t batch) {
  std::uint64_t bytes = 0;
  for (const ValueId value : values) bytes += byte_size(graph.type(value), batch);
  return bytes;
}

BlockInfo describe_block(const SlicedModel& model, const BranchBlock& block, std::int64_t batch) {
  const auto bytes = [&](const std::vector<ValueId>& values) { return bytes_of(model.graph, values, batch); };
  BlockInfo info{block.begin, block.end, {}, 0, {}, {}};
  std::vector<ValueId> inputs;
  for (const std::vector<LayerId>& layers : block.branches) {
    const StageEnds ends = ends_of_stage(model.graph, model.cuts, block.begin, block.end, layers);
    BranchInfo& branch = info.branches.emplace_back();
    branch.name = branch_name(model, layers);
    branch.output_bytes = bytes(ends.outputs);
    branch.weight_bytes =
        weight_bytes(extract_stage(model.graph, model.cuts, block.begin, block.end, layers));
    for (const ValueId value : ends.inputs) {
      const auto found = std::find(inputs.begin(), inputs.end(), value);
      branch.inputs.push_back(static_cast<std::size_t>(found - inputs.begin()));
      if (found == inputs.end()) inputs.push_back(value);
    }
  }
  for (const ValueId value : inputs) info.input_bytes.push_back(bytes({value}));
  const std::vector<ValueId>& leaving = model.cuts[block.end].crossing;
  for (const ValueId value : model.cuts[block.begin].crossing) {
    if (std::find(leaving.begin(), leaving.end(), value) != leaving.end())
      info.direct_bytes += bytes({value});
  }
  return info;
}

}  // namespace

std::vector<PieceInfo> describe_pieces(const SlicedModel& model) {
  std::vector<PieceInfo> pieces;
  for (std::size_t i = 0; i + 1 < model.boundaries.size(); ++i) {
    const std::size_t begin = model.boundaries[i];
    const std::size_t end = model.boundaries[i + 1];
    pieces.push_back(
        {piece_name(model, i), begin, end, weight_bytes(extract_stage(model.graph, model.cuts, begin, end))});
  }
  return pieces;
}

std::vector<BlockInfo> describe_blocks(const SlicedModel& model, std::int64_t batch) {
  std::vector<BlockInfo> blocks;
  for (const BranchBlock& block : model.blocks) blocks.push_back(describe_block(model, block, batch));
  return blocks;
}

std::vector<std::uint64_t> cut_bytes(const SlicedModel& model, std::int64_t batch) {
  std::vector<std::uint64_t> bytes;
  for (const std::size_t position : model.boundaries)
    bytes.push_back(bytes_of(model.graph, model.cuts[position].crossing, batch));
  return bytes;
}

}  // namespace lamina
