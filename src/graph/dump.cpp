#include "base/error.h"
#include "graph/graph.h"

#include <string>

#include <fmt/ranges.h>

namespace lamina {

namespace {

std::string attribute_text(const Attribute& attribute) {
  return std::visit(
      [](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (std::is_same_v<T, std::vector<std::int64_t>>) {
          return fmt::format("[{}]", fmt::join(value, ", "));
        } else {
          return fmt::format("{}", value);
        }
      },
      attribute);
}

// "%12" for what flows, the name for a weight.
std::string value_text(const Graph& graph, ValueId value) {
  const Value& known = graph.values()[value];
  return known.kind == Value::Kind::weight ? "@" + graph.weights()[known.source].name
                                           : fmt::format("%{}", value);
}

std::string node_text(const Graph& graph, const Node& node) {
  std::string text = "  ";
  for (std::size_t i = 0; i < node.outputs.size(); ++i)
    text += (i > 0 ? ", " : "") + value_text(graph, node.outputs[i]);
  text += " = " + std::string(node.op->name) + "(";
  for (std::size_t i = 0; i < node.inputs.size(); ++i)
    text += (i > 0 ? ", " : "") + value_text(graph, node.inputs[i]);
  text += ")";
  for (const auto& [name, value] : node.attributes.values())
    text += fmt::format(" {}={}", name, attribute_text(value));
  text += " :";
  for (const ValueId output : node.outputs) text += " " + to_string(graph.type(output));
  return text + "\n";
}

}  // namespace

std::string dump(const Graph& graph) {
  std::string text = fmt::format("graph {}\n", graph.name());
  for (const Port& input : graph.inputs()) {
    text += fmt::format("input {} %{} : {}\n", input.name, input.value, to_string(graph.type(input.value)));
  }
  for (NodeId id = 0; id < graph.nodes().size(); ++id) {
    const Node& node = graph.nodes()[id];
    if (id == 0 || graph.nodes()[id - 1].layer != node.layer) {
      const Layer& layer = graph.layers()[node.layer];
      text += fmt::format("{} ({})\n", layer.name, layer.class_name);
    }
    text += node_text(graph, node);
  }
  for (const Port& output : graph.outputs()) {
    text += fmt::format("output {} {}\n", output.name, value_text(graph, output.value));
  }
  return text;
}

double node_flops(const Graph& graph, const Node& node, std::int64_t batch) {
  const auto concrete = [&](const std::vector<ValueId>& values) {
    std::vector<TensorType> types;
    for (const ValueId value : values) {
      types.push_back({graph.type(value).dtype, at_batch(graph.type(value).shape, batch)});
    }
    return types;
  };
  return node.op->flops(node.attributes, concrete(node.inputs), concrete(node.outputs));
}

}  // namespace lamina
