#include "graph/rows.h"

#include "base/error.h"

#include <functional>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using Integers = std::vector<std::int64_t>;
constexpr std::int64_t kEnd = INT64_MAX;

// A layer "before" that keeps rows apart, then "tested" with what `build` makes of its (batch, 4, 6).
Graph graph_of(const std::function<ValueId(Graph&, ValueId)>& build) {
  Graph graph("g");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, 4, 6}});
  graph.begin_layer("before", "Test");
  const ValueId y = graph.add("relu", {x});
  graph.begin_layer("tested", "Test");
  graph.add_output("y", build(graph, y));
  return graph;
}

ValueId weight(Graph& graph, const Shape& shape) {
  const std::vector<float> ones(static_cast<std::size_t>(element_count(shape)), 1.0F);
  return graph.add_weight("w", Tensor::of(shape, ones), Weight::Role::trainable);
}

void expect_apart(const char* what, const std::function<ValueId(Graph&, ValueId)>& build) {
  EXPECT_NO_THROW(check_rows_apart(graph_of(build))) << what;
}

void expect_meeting(const char* what, const std::function<ValueId(Graph&, ValueId)>& build) {
  try {
    check_rows_apart(graph_of(build));
    FAIL() << what << " passed";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::unsupported) << error.what();
    EXPECT_NE(std::string(error.what()).find("'tested'"), std::string::npos) << error.what();
  }
}

TEST(Rows, OpsWithinARowKeepRowsApart) {
  expect_apart("dense", [](Graph& g, ValueId x) { return g.add("matmul", {x, weight(g, {6, 3})}); });
  expect_apart("attention", [](Graph& g, ValueId x) {
    const ValueId turned = g.add("transpose", {x}, {{"axes", Integers{0, 2, 1}}});
    return g.add("softmax", {g.add("matmul", {x, turned})});
  });
  expect_apart("pooling", [](Graph& g, ValueId x) {
    return g.add("mean", {x}, {{"axes", Integers{1, -1}}});
  });
  expect_apart("convolution", [](Graph& g, ValueId x) {
    return g.add("conv", {x, weight(g, {2, 6, 5})},
                 {{"strides", Integers{1}}, {"dilations", Integers{1}}, {"padding", std::string("same")}});
  });
  expect_apart("channels", [](Graph& g, ValueId x) {
    return g.add(
        "slice", {g.add("concatenate", {x, x})},
        {{"begins", Integers{0, 1, 0}}, {"ends", Integers{kEnd, kEnd, kEnd}}, {"steps", Integers{1, 2, 1}}});
  });
  // As TimeDistributed does.
  expect_apart("steps of time as rows", [](Graph& g, ValueId x) {
    const ValueId steps = g.add("reshape", {x}, {{"shape", Integers{-4, 6}}});
    return g.add("reshape", {g.add("matmul", {steps, weight(g, {6, 3})})},
                 {{"shape", Integers{kBatch, 4, 3}}});
  });
}

TEST(Rows, OpsAcrossRowsAreNamed) {
  expect_meeting("a mean over the batch", [](Graph& g, ValueId x) {
    return g.add("subtract", {x, g.add("mean", {x}, {{"axes", Integers{0}}, {"keepdims", true}})});
  });
  expect_meeting("all in one", [](Graph& g, ValueId x) {
    return g.add("divide", {x, g.add("sum", {x}, {{"axes", Integers{-3, 1, 2}}})});
  });
  expect_meeting("a softmax over the batch", [](Graph& g, ValueId x) {
    return g.add("softmax", {x}, {{"axis", std::int64_t{0}}});
  });
  expect_meeting("the same from the end", [](Graph& g, ValueId x) {
    return g.add("log_softmax", {x}, {{"axis", std::int64_t{-3}}});
  });
  expect_meeting("rows after rows", [](Graph& g, ValueId x) {
    return g.add("concatenate", {x, x}, {{"axis", std::int64_t{0}}});
  });
  expect_meeting("the batch elsewhere", [](Graph& g, ValueId x) {
    return g.add("transpose", {x}, {{"axes", Integers{1, 0, 2}}});
  });
  expect_meeting("rows against rows", [](Graph& g, ValueId x) {
    const ValueId flat = g.add("reshape", {x}, {{"shape", Integers{kBatch, 24}}});
    return g.add("matmul", {flat, g.add("transpose", {flat}, {{"axes", Integers{1, 0}}})});
  });
}

TEST(Rows, AnInputWithoutABatchIsNamed) {
  Graph graph("g");
  graph.begin_layer("all", "Test");
  graph.add_output("y", graph.add("relu", {graph.add_input("fixed", {DType::f32, {3, 4}})}));
  EXPECT_THROW(check_rows_apart(graph), Error);
}

}  // namespace
}  // namespace lamina
