#include "graph/liveness.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

constexpr std::uint64_t kRow = 100 * 4;  // bytes of one item of (batch, 100) float32

class Liveness : public testing::Test {
 protected:
  Liveness() : graph_("g"), input_(graph_.add_input("x", {DType::f32, {kBatch, 100}})) {
    graph_.begin_layer("all", "Test");
  }
  Graph graph_;
  ValueId input_;
};

TEST_F(Liveness, AChainHoldsItsInputAndTwoNeighbours) {
  ValueId value = input_;
  for (int i = 0; i < 5; ++i) value = graph_.add("relu", {value});
  graph_.add_output("y", value);
  EXPECT_EQ(peak_activation_bytes(graph_, 1), 3 * kRow);
  EXPECT_EQ(peak_activation_bytes(graph_, 7), 7 * 3 * kRow);
}

TEST_F(Liveness, ASkipConnectionIsHeldUntilItsLastUse) {
  const ValueId skip = graph_.add("relu", {input_});
  ValueId value = skip;
  for (int i = 0; i < 3; ++i) value = graph_.add("tanh", {value});
  graph_.add_output("y", graph_.add("add", {value, skip}));
  EXPECT_EQ(peak_activation_bytes(graph_, 1), 4 * kRow);
}

TEST_F(Liveness, ReshapesTakeNoBytesOfTheirOwn) {
  ValueId value = graph_.add("relu", {input_});
  for (int i = 0; i < 4; ++i) {
    value = graph_.add("reshape", {value}, {{"shape", std::vector<std::int64_t>{kBatch, 10, 10}}});
    value = graph_.add("reshape", {value}, {{"shape", std::vector<std::int64_t>{kBatch, 100}}});
  }
  graph_.add_output("y", value);
  EXPECT_EQ(peak_activation_bytes(graph_, 1), 2 * kRow);
}

TEST_F(Liveness, WeightsAreNotActivations) {
  const std::vector<float> zeros(100 * 100);
  const ValueId kernel = graph_.add_weight("w", Tensor::of({100, 100}, zeros), Weight::Role::trainable);
  graph_.add_output("y", graph_.add("matmul", {input_, kernel}));
  EXPECT_EQ(peak_activation_bytes(graph_, 1), 2 * kRow);
}

}  // namespace
}  // namespace lamina
