#include "slice/cuts.h"

#include "base/error.h"
#include "support/random_graph.h"

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

// What must cross after `position` layers, by the definition: it is there before, and someone after needs it;
// but never nothing.
std::set<ValueId> crossing_by_definition(const Graph& graph, std::size_t position) {
  std::set<ValueId> before;
  std::set<ValueId> needed;
  for (const Port& input : graph.inputs()) before.insert(input.value);
  for (const Node& node : graph.nodes()) {
    if (node.layer < position) {
      before.insert(node.outputs.begin(), node.outputs.end());
    } else {
      needed.insert(node.inputs.begin(), node.inputs.end());
    }
  }
  for (const Port& output : graph.outputs()) needed.insert(output.value);
  std::set<ValueId> crossing;
  std::set_intersection(before.begin(), before.end(), needed.begin(), needed.end(),
                        std::inserter(crossing, crossing.end()));
  if (crossing.empty()) crossing.insert(graph.inputs().front().value);
  return crossing;
}

std::set<ValueId> values_of(const std::vector<Port>& ports) {
  std::set<ValueId> values;
  for (const Port& port : ports) values.insert(port.value);
  return values;
}

NamedValues random_inputs(const Graph& graph, Random& random) {
  NamedValues inputs;
  for (const Port& port : graph.inputs()) {
    for (std::int64_t i = 0; i < 2 * kWidth; ++i)
      inputs[port.name].push_back(static_cast<float>(pick(random, 2000)) / 1000 - 1);
  }
  return inputs;
}

// Positions in order, ends included.
std::vector<std::size_t> random_positions(std::size_t layers, Random& random) {
  std::set<std::size_t> positions = {0, layers};
  for (std::size_t i = 0, count = pick(random, layers + 1); i < count; ++i)
    positions.insert(pick(random, layers + 1));
  return {positions.begin(), positions.end()};
}

std::vector<std::string> names_of(const std::vector<Port>& ports) {
  std::vector<std::string> names;
  names.reserve(ports.size());
  for (const Port& port : ports) names.push_back(port.name);
  return names;
}

TEST(Cuts, WhatCrossesIsWhatTheDefinitionSays) {
  Random random(1);
  for (int i = 0; i < 2000; ++i) {
    const Graph graph = random_graph(random);
    const std::vector<Cut> cuts = find_cuts(graph);
    ASSERT_EQ(cuts.size(), graph.layers().size() + 1);
    for (std::size_t position = 0; position < cuts.size(); ++position) {
      ASSERT_EQ(cuts[position].position, position);
      const std::set<ValueId> crossing(cuts[position].crossing.begin(), cuts[position].crossing.end());
      ASSERT_EQ(crossing.size(), cuts[position].crossing.size()) << "something crosses twice";
      const std::set<ValueId> expected = position == 0 ? values_of(graph.inputs())
                                         : position + 1 == cuts.size()
                                             ? values_of(graph.outputs())
                                             : crossing_by_definition(graph, position);
      ASSERT_EQ(crossing, expected) << "at " << position << " of\n" << dump(graph);
      ASSERT_EQ(cuts[position].bytes_per_item % 4, 0U);
      std::uint64_t bytes = 0;
      for (const ValueId value : crossing) bytes += byte_size(graph.type(value), 1);
      ASSERT_EQ(cuts[position].bytes_per_item, bytes);
    }
  }
}

TEST(Cuts, StagesOneAfterTheOtherAreTheWhole) {
  Random random(2);
  for (int i = 0; i < 2000; ++i) {
    const Graph graph = random_graph(random);
    const std::vector<Cut> cuts = find_cuts(graph);
    const NamedValues inputs = random_inputs(graph, random);
    const std::vector<std::size_t> positions = random_positions(graph.layers().size(), random);
    SCOPED_TRACE(dump(graph));
    NamedValues flowing = inputs;
    std::vector<std::string> ports = names_of(graph.inputs());
    std::size_t nodes = 0;
    for (std::size_t k = 0; k + 1 < positions.size(); ++k) {
      const Graph stage = extract_stage(graph, cuts, positions[k], positions[k + 1]);
      verify(stage);
      ASSERT_EQ(names_of(stage.inputs()), ports) << "at " << positions[k];
      ports = names_of(stage.outputs());
      nodes += stage.nodes().size();
      flowing = interpret(stage, flowing);
    }
    ASSERT_EQ(ports, names_of(graph.outputs()));
    ASSERT_EQ(nodes, graph.nodes().size()) << "a node ran twice or never";
    ASSERT_EQ(flowing, interpret(graph, inputs));
  }
}

TEST(Cuts, AStageHasTheWeightsItUsesAndSharesTheirBytes) {
  Random random(3);
  for (int i = 0; i < 300; ++i) {
    const Graph graph = random_graph(random);
    const std::vector<Cut> cuts = find_cuts(graph);
    std::map<std::string, const std::byte*> bytes;
    for (const Weight& weight : graph.weights()) bytes[weight.name] = weight.data.data().data();
    for (std::size_t begin = 0; begin + 1 < cuts.size(); ++begin) {
      const Graph stage = extract_stage(graph, cuts, begin, begin + 1);
      std::set<ValueId> used;
      for (const Node& node : stage.nodes()) used.insert(node.inputs.begin(), node.inputs.end());
      for (const Port& output : stage.outputs()) used.insert(output.value);
      for (ValueId value = 0; value < stage.values().size(); ++value) {
        if (stage.values()[value].kind != Value::Kind::weight) continue;
        const Weight& weight = stage.weights()[stage.values()[value].source];
        ASSERT_TRUE(used.contains(value)) << weight.name << " came along for nothing";
        ASSERT_EQ(weight.data.data().data(), bytes.at(weight.name)) << weight.name << " was copied";
      }
    }
  }
}

TEST(Cuts, AnInputNamedLikeAResultKeepsThemApart) {
  Graph graph("g");
  const ValueId a = graph.add_input("dense:0", {DType::f32, {kBatch, kWidth}});
  graph.begin_layer("dense", "Dense");
  const ValueId b = graph.add("negative", {a});
  graph.begin_layer("sum", "Add");
  graph.add_output("y", graph.add("add", {a, b}));
  const std::vector<Cut> cuts = find_cuts(graph);
  const NamedValues inputs = {{"dense:0", {1, 2, 3}}};
  const NamedValues middle = interpret(extract_stage(graph, cuts, 0, 1), inputs);
  EXPECT_EQ(middle.size(), 2U);
  EXPECT_EQ(interpret(extract_stage(graph, cuts, 1, 2), middle), interpret(graph, inputs));
}

TEST(Cuts, StagesThatAreNoneAreRefused) {
  Graph graph("g");
  const ValueId x = graph.add_input("x", {DType::f32, {kBatch, kWidth}});
  graph.begin_layer("a", "Activation");
  graph.add_output("y", graph.add("relu", {x}));
  const std::vector<Cut> cuts = find_cuts(graph);
  EXPECT_THROW(extract_stage(graph, cuts, 0, 0), Error);
  EXPECT_THROW(extract_stage(graph, cuts, 1, 0), Error);
  EXPECT_THROW(extract_stage(graph, cuts, 0, 2), Error);
}

}  // namespace
}  // namespace lamina
