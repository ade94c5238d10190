// Random graphs of elementwise ops, awkward on purpose, and an interpreter of a few lines to run them.
#pragma once

#include "graph/graph.h"
#include "support/mutate.h"

#include <algorithm>
#include <array>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>

namespace lamina {

constexpr std::int64_t kWidth = 3;

// Several inputs, some used late or never; weights used by several layers; layers of no, one or many ops;
// results used at once, much later, or not at all; outputs that are made early, stand twice, or are inputs.
inline Graph random_graph(Random& random) {
  Graph graph("random");
  std::vector<ValueId> known;
  std::vector<ValueId> outputs;
  const auto any = [&] {
    // Late values are likelier, so that chains become deep.
    return known[pick(random, 2) == 0
                     ? pick(random, known.size())
                     : known.size() - 1 - pick(random, std::min<std::size_t>(known.size(), 3))];
  };
  for (std::size_t i = 0, count = 1 + pick(random, 3); i < count; ++i) {
    known.push_back(graph.add_input(fmt::format("in{}", i), {DType::f32, {kBatch, kWidth}}));
  }
  const std::vector<ValueId> inputs = known;
  for (std::size_t i = 0, count = 1 + pick(random, 4); i < count; ++i) {
    std::array<float, kWidth> values{};
    for (float& value : values) value = static_cast<float>(pick(random, 200)) / 100 - 1;
    known.push_back(graph.add_weight(fmt::format("w{}", i), Tensor::of({kWidth}, values),
                                     static_cast<Weight::Role>(pick(random, 3))));
  }
  constexpr std::array<std::string_view, 4> kBinary = {"add", "subtract", "multiply", "maximum"};
  constexpr std::array<std::string_view, 4> kUnary = {"relu", "negative", "identity", "clip"};
  std::vector<ValueId> made = inputs;
  for (std::size_t layer = 0, count = 1 + pick(random, 12); layer < count; ++layer) {
    graph.begin_layer(fmt::format("layer{}", layer), "Test");
    for (std::size_t node = 0, nodes = pick(random, 4); node < nodes; ++node) {
      ValueId value = 0;
      if (pick(random, 2) == 0) {
        value = graph.add(kBinary[pick(random, kBinary.size())], {any(), any()});
      } else {
        const std::string_view op = kUnary[pick(random, kUnary.size())];
        value = graph.add(op, {any()}, op == "clip" ? Attributes{{"min", -0.5}, {"max", 2.0}} : Attributes{});
      }
      known.push_back(value);
      made.push_back(value);
    }
  }
  for (std::size_t i = 0, count = 1 + pick(random, 3); i < count; ++i) {
    graph.add_output(fmt::format("out{}", i), made[pick(random, made.size())]);
  }
  return graph;
}

using NamedValues = std::map<std::string, std::vector<float>>;

inline float apply(const Node& node, float a, float b) {
  const std::string_view op = node.op->name;
  if (op == "add") return a + b;
  if (op == "subtract") return a - b;
  if (op == "multiply") return a * b;
  if (op == "maximum") return std::max(a, b);
  if (op == "relu") return std::max(a, 0.0F);
  if (op == "negative") return -a;
  if (op == "identity") return a;
  if (op == "clip") {
    return std::clamp(a, static_cast<float>(node.attributes.number("min")),
                      static_cast<float>(node.attributes.number("max")));
  }
  throw std::runtime_error("the test's interpreter has no op " + std::string(op));
}

// The outputs of a random graph by name. Rows of kWidth values; what comes from weights alone has one row.
inline NamedValues interpret(const Graph& graph, const NamedValues& inputs) {
  std::vector<std::vector<float>> values(graph.values().size());
  for (const Port& port : graph.inputs()) values[port.value] = inputs.at(port.name);
  for (ValueId id = 0; id < values.size(); ++id) {
    const Value& value = graph.values()[id];
    if (value.kind == Value::Kind::weight) values[id] = graph.weights()[value.source].data.to_floats();
  }
  for (const Node& node : graph.nodes()) {
    const std::vector<float>& a = values[node.inputs.front()];
    const std::vector<float>& b = values[node.inputs.back()];
    std::vector<float> result(std::max(a.size(), b.size()));
    for (std::size_t i = 0; i < result.size(); ++i) result[i] = apply(node, a[i % a.size()], b[i % b.size()]);
    values[node.outputs.front()] = std::move(result);
  }
  NamedValues outputs;
  for (const Port& port : graph.outputs()) outputs[port.name] = values[port.value];
  return outputs;
}

}  // namespace lamina
