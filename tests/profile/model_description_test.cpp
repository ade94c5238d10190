// A model whose bytes can be counted by hand.
#include "profile/model_description.h"

#include <cstdint>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using Bytes = std::vector<std::uint64_t>;

// x (4) through layers of so many float32 weights: "in" makes (4), "left" (2) and "right" (6) of it, "out"
// both together.
class DescribedModels : public testing::Test {
 protected:
  DescribedModels() {
    Graph graph("fork");
    const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 4}});
    const ValueId in = add_dense(graph, "in", x, 4, 4);
    const ValueId left = add_dense(graph, "left", in, 4, 2);
    const ValueId right = add_dense(graph, "right", in, 4, 6);
    graph.begin_layer("out", "Concatenate");
    graph.add_output("y", graph.add("concatenate", {left, right}));
    model_ = slice_model(std::move(graph));
    model_.boundaries = {0, 1, 3, 4};
    model_.blocks = {{1, 3, {{1}, {2}}}};
  }

  static ValueId add_dense(Graph& graph, const std::string& name, ValueId x, std::int64_t from,
                           std::int64_t to) {
    graph.begin_layer(name, "Dense");
    const ValueId kernel = graph.add_weight(
        name,
        Tensor(TensorType{DType::f32, {from, to}},
               Buffer::copy(std::vector<std::byte>(static_cast<std::size_t>(4 * from * to)))),
        Weight::Role::trainable);
    return graph.add("matmul", {x, kernel});
  }

  SlicedModel model_;
};

TEST_F(DescribedModels, HoldPiecesWithTheirWeights) {
  const std::vector<PieceInfo> pieces = describe_pieces(model_);
  ASSERT_EQ(pieces.size(), 3U);
  EXPECT_EQ(pieces[0].name, "in");
  EXPECT_EQ(pieces[0].weight_bytes, 4U * 4 * 4);
  EXPECT_EQ(pieces[1].begin, 1U);
  EXPECT_EQ(pieces[1].end, 3U);
  EXPECT_EQ(pieces[1].weight_bytes, 4U * 4 * (2 + 6));
  EXPECT_EQ(pieces[2].weight_bytes, 0U);
}

TEST_F(DescribedModels, SayWhatCrossesEachBoundary) {
  EXPECT_EQ(cut_bytes(model_, 1), (Bytes{16, 16, 32, 32}));
  EXPECT_EQ(cut_bytes(model_, 3), (Bytes{48, 48, 96, 96}));
}

TEST_F(DescribedModels, SayWhatBranchesTakeAndMake) {
  const std::vector<BlockInfo> blocks = describe_blocks(model_, 3);
  ASSERT_EQ(blocks.size(), 1U);
  EXPECT_EQ(blocks[0].input_bytes, Bytes{48}) << "both use the one tensor";
  EXPECT_EQ(blocks[0].direct_bytes, 0U);
  ASSERT_EQ(blocks[0].branches.size(), 2U);
  EXPECT_EQ(blocks[0].branches[0].name, "left");
  EXPECT_EQ(blocks[0].branches[0].inputs, std::vector<std::size_t>{0});
  EXPECT_EQ(blocks[0].branches[0].weight_bytes, 4U * 4 * 2);
  EXPECT_EQ(blocks[0].branches[0].output_bytes, 3U * 4 * 2);
  EXPECT_EQ(blocks[0].branches[1].inputs, std::vector<std::size_t>{0});
  EXPECT_EQ(blocks[0].branches[1].output_bytes, 3U * 4 * 6);
}

}  // namespace
}  // namespace lamina
