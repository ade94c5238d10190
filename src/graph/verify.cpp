#include "base/error.h"
#include "graph/graph.h"

#include <algorithm>
#include <set>
#include <string>

namespace lamina {

namespace {

void expect_unique(const std::vector<std::string>& names, const Graph& graph, std::string_view kind) {
  std::set<std::string> seen;
  for (const std::string& name : names) {
    if (name.empty())
      fail(ErrorCode::invalid_argument, "graph '{}' has a {} without a name", graph.name(), kind);
    if (!seen.insert(name).second) {
      fail(ErrorCode::invalid_argument, "graph '{}' has two {}s named '{}'", graph.name(), kind, name);
    }
  }
}

template <typename Items>
std::vector<std::string> names_of(const Items& items) {
  std::vector<std::string> names;
  for (const auto& item : items) names.push_back(item.name);
  return names;
}

void verify_value(const Graph& graph, ValueId id) {
  const Value& value = graph.values()[id];
  element_count(at_batch(value.type.shape, 1));
  const std::size_t sources = value.kind == Value::Kind::input    ? graph.inputs().size()
                              : value.kind == Value::Kind::weight ? graph.weights().size()
                                                                  : graph.nodes().size();
  if (value.source >= sources) {
    fail(ErrorCode::invalid_argument, "value {} of graph '{}' comes from {}, which is not there", id,
         graph.name(), value.source);
  }
  if (value.kind == Value::Kind::weight && graph.weights()[value.source].data.type() != value.type) {
    fail(ErrorCode::invalid_argument, "value {} of graph '{}' is {}, its weight '{}' is {}", id, graph.name(),
         to_string(value.type), graph.weights()[value.source].name,
         to_string(graph.weights()[value.source].data.type()));
  }
}

void verify_node(const Graph& graph, NodeId id) {
  const Node& node = graph.nodes()[id];
  if (node.op == nullptr || node.layer >= graph.layers().size()) {
    fail(ErrorCode::invalid_argument, "node {} of graph '{}' has no op or no layer", id, graph.name());
  }
  const Layer& layer = graph.layers()[node.layer];
  std::vector<TensorType> inputs;
  for (const ValueId input : node.inputs) {
    const bool known = input < graph.values().size();
    const bool before =
        known && (graph.values()[input].kind != Value::Kind::node || graph.values()[input].source < id);
    if (!before) {
      fail(ErrorCode::invalid_argument, "layer '{}': op '{}' uses value {}, which is not made before it",
           layer.name, node.op->name, input);
    }
    inputs.push_back(graph.type(input));
  }
  const auto count = static_cast<int>(inputs.size());
  if (count < node.op->min_inputs || (node.op->max_inputs >= 0 && count > node.op->max_inputs)) {
    fail(ErrorCode::invalid_argument, "layer '{}': op '{}' has {} inputs", layer.name, node.op->name, count);
  }
  if (complete_attributes(*node.op, node.attributes) != node.attributes) {
    fail(ErrorCode::invalid_argument, "layer '{}': op '{}' lacks attributes", layer.name, node.op->name);
  }
  const std::vector<TensorType> outputs = node.op->infer(node.attributes, inputs);
  bool same = outputs.size() == node.outputs.size();
  for (std::size_t i = 0; same && i < outputs.size(); ++i) {
    const ValueId output = node.outputs[i];
    same = output < graph.values().size() && graph.type(output) == outputs[i] &&
           graph.values()[output].kind == Value::Kind::node && graph.values()[output].source == id;
  }
  if (!same) {
    fail(ErrorCode::invalid_argument, "layer '{}': op '{}' has outputs that are not what it makes",
         layer.name, node.op->name);
  }
}

}  // namespace

void verify(const Graph& graph) {
  expect_unique(names_of(graph.layers()), graph, "layer");
  expect_unique(names_of(graph.weights()), graph, "weight");
  expect_unique(names_of(graph.inputs()), graph, "input");
  expect_unique(names_of(graph.outputs()), graph, "output");
  for (ValueId id = 0; id < graph.values().size(); ++id) verify_value(graph, id);
  LayerId layer = 0;
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    verify_node(graph, id);
    if (graph.nodes()[id].layer < layer) {
      fail(ErrorCode::invalid_argument, "graph '{}' returns to layer '{}' after '{}' began", graph.name(),
           graph.layers()[graph.nodes()[id].layer].name, graph.layers()[layer].name);
    }
    layer = graph.nodes()[id].layer;
  }
  for (const auto* ports : {&graph.inputs(), &graph.outputs()}) {
    for (const Port& port : *ports) {
      if (port.value >= graph.values().size()) {
        fail(ErrorCode::invalid_argument, "port '{}' of graph '{}' is value {}, which does not exist",
             port.name, graph.name(), port.value);
      }
    }
  }
  if (graph.outputs().empty()) fail(ErrorCode::invalid_argument, "graph '{}' has no output", graph.name());
}

}  // namespace lamina
