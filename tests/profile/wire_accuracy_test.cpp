#include "profile/wire_accuracy.h"

#include "cluster/fake_engine.h"

#include <gtest/gtest.h>

namespace lamina {
namespace {

// y = relu(x) · (2, 4), in a piece for each of the two.
SlicedModel two_pieces() {
  Graph graph("two pieces");
  graph.begin_layer("first", "ReLU");
  const ValueId input = graph.add_input("x", {DType::f32, {kBatch, 2}});
  const ValueId positive = graph.add("relu", {input});
  graph.begin_layer("second", "Scale");
  const ValueId factors = graph.add_constant("factors", Tensor::of({2}, std::vector<float>{2, 4}));
  graph.add_output("y", graph.add("multiply", {positive, factors}));
  SlicedModel model = slice_model(std::move(graph));
  model.boundaries = {0, 1, 2};
  return model;
}

TEST(WireAccuracy, IsWhatTheAnswersLose) {
  FakeEngine engine;
  // bf16 has 8 bits of mantissa: 1 + 2⁻⁹ becomes 1, and 3 stays 3.
  const float odd = 1.001953125F;
  WireAccuracy accuracy(engine, two_pieces(), {Tensor::of({1, 2}, std::vector<float>{odd, 3})});
  for (const std::size_t cut : {0U, 1U}) {
    const Difference difference = accuracy.difference_of({{cut, WireFormat::bf16}});
    EXPECT_NEAR(difference.largest, 2 * 0.001953125 / 12, 1e-9) << "cut " << cut;
    EXPECT_TRUE(difference.same_classes);
  }
  EXPECT_EQ(accuracy.difference_of({}).largest, 0);
  EXPECT_EQ(accuracy.difference_of({{0, WireFormat::f32}, {1, WireFormat::lz4}}).largest, 0);
  EXPECT_EQ(accuracy.size_of(1, WireFormat::f32).bytes, 8U);
  EXPECT_EQ(accuracy.size_of(1, WireFormat::f32).values, 0U);
  EXPECT_EQ(accuracy.size_of(1, WireFormat::bf16).bytes, 4U);
  EXPECT_EQ(accuracy.size_of(1, WireFormat::bf16).values, 8U);
}

TEST(WireAccuracy, SeesThatAClassChanges) {
  FakeEngine engine;
  // 4 · (1 + 2⁻⁹) is a little more than 2 · 2; bf16 makes them equal, and the first of equals wins.
  WireAccuracy accuracy(engine, two_pieces(), {Tensor::of({1, 2}, std::vector<float>{2, 1.001953125F})});
  EXPECT_FALSE(accuracy.difference_of({{1, WireFormat::bf16}}).same_classes);
}

}  // namespace
}  // namespace lamina
