#include "graph/graph.h"

#include "base/error.h"

#include <algorithm>
#include <utility>

namespace lamina {

ValueId Graph::add_value(TensorType type, Value::Kind kind, std::uint32_t source) {
  values_.push_back({std::move(type), kind, source});
  return static_cast<ValueId>(values_.size() - 1);
}

ValueId Graph::add_input(std::string name, TensorType type) {
  const bool taken =
      std::any_of(inputs_.begin(), inputs_.end(), [&](const Port& input) { return input.name == name; });
  if (taken) fail(ErrorCode::invalid_argument, "graph '{}' has two inputs named '{}'", name_, name);
  const ValueId value =
      add_value(std::move(type), Value::Kind::input, static_cast<std::uint32_t>(inputs_.size()));
  inputs_.push_back({std::move(name), value});
  return value;
}

ValueId Graph::add_weight(std::string name, Tensor data, Weight::Role role) {
  const ValueId value =
      add_value(data.type(), Value::Kind::weight, static_cast<std::uint32_t>(weights_.size()));
  weights_.push_back({std::move(name), std::move(data), role});
  return value;
}

LayerId Graph::begin_layer(std::string name, std::string class_name) {
  layers_.push_back({std::move(name), std::move(class_name)});
  return static_cast<LayerId>(layers_.size() - 1);
}

std::vector<ValueId> Graph::add_node(std::string_view op_name, std::vector<ValueId> inputs,
                                     Attributes attributes) {
  if (layers_.empty()) fail(ErrorCode::internal, "op '{}' was added before any layer began", op_name);
  const std::string& layer = layers_.back().name;
  const OpSpec* op = find_op(op_name);
  if (op == nullptr) fail(ErrorCode::unsupported, "layer '{}': there is no op '{}'", layer, op_name);

  const auto count = static_cast<int>(inputs.size());
  if (count < op->min_inputs || (op->max_inputs >= 0 && count > op->max_inputs)) {
    fail(ErrorCode::invalid_argument, "layer '{}': op '{}' was given {} inputs, expected {}{}", layer,
         op_name, count, op->min_inputs,
         op->max_inputs < 0                ? " or more"
         : op->max_inputs > op->min_inputs ? fmt::format(" to {}", op->max_inputs)
                                           : "");
  }
  std::vector<TensorType> types;
  for (const ValueId input : inputs) {
    if (input >= values_.size()) {
      fail(ErrorCode::invalid_argument, "layer '{}': op '{}' uses value {}, which is not made before it",
           layer, op_name, input);
    }
    types.push_back(values_[input].type);
  }

  Node node{op, {}, std::move(inputs), {}, static_cast<LayerId>(layers_.size() - 1)};
  std::vector<TensorType> outputs;
  try {
    node.attributes = complete_attributes(*op, std::move(attributes));
    outputs = op->infer(node.attributes, types);
  } catch (const Error& error) {
    fail(error.code(), "layer '{}' ({}): {}", layer, layers_.back().class_name, error.what());
  }
  const auto id = static_cast<NodeId>(nodes_.size());
  for (TensorType& type : outputs) node.outputs.push_back(add_value(std::move(type), Value::Kind::node, id));
  nodes_.push_back(std::move(node));
  return nodes_.back().outputs;
}

ValueId Graph::add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes) {
  return add_node(op, std::move(inputs), std::move(attributes)).at(0);
}

void Graph::add_output(std::string name, ValueId value) {
  if (value >= values_.size()) {
    fail(ErrorCode::invalid_argument, "output '{}' of graph '{}' is value {}, which does not exist", name,
         name_, value);
  }
  const bool taken =
      std::any_of(outputs_.begin(), outputs_.end(), [&](const Port& output) { return output.name == name; });
  if (taken) fail(ErrorCode::invalid_argument, "graph '{}' has two outputs named '{}'", name_, name);
  outputs_.push_back({std::move(name), value});
}

}  // namespace lamina
