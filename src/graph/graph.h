// A model as a list of primitive ops over typed values, in an order in which each op follows its inputs.
//
// The graph knows nothing of Keras or of engines. Every op remembers the layer it came from, so that people
// always see layer names.
#pragma once

#include "graph/op.h"
#include "graph/tensor.h"
#include "graph/types.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// Indices into Graph::values(), ::nodes(), ::layers() and ::weights().
using ValueId = std::uint32_t;
using NodeId = std::uint32_t;
using LayerId = std::uint32_t;
using WeightId = std::uint32_t;

// A weight or a constant of the model. Names are unique in a graph: "conv1/kernel".
struct Weight {
  enum class Role : std::uint8_t { trainable, non_trainable, constant };
  std::string name;
  Tensor data;
  Role role = Role::trainable;
};

// One call of a layer of the model. A layer that is shared, called twice, stands here twice.
struct Layer {
  std::string name;        // as in the model, e.g. "block1_conv1"; unique: the second call gets "#2"
  std::string class_name;  // e.g. "Conv2D"
};

// A tensor as it flows: an input of the graph, a weight, or the output of a node.
struct Value {
  enum class Kind : std::uint8_t { input, weight, node };
  TensorType type;
  Kind kind = Kind::input;
  std::uint32_t source = 0;  // index of the input, the WeightId or the NodeId
};

struct Node {
  const OpSpec* op = nullptr;
  Attributes attributes;
  std::vector<ValueId> inputs;
  std::vector<ValueId> outputs;
  LayerId layer = 0;
};

// A named end of the graph.
struct Port {
  std::string name;
  ValueId value = 0;
};

// Built by appending; values and nodes never change afterwards, so a const Graph may be shared by threads.
class Graph {
 public:
  explicit Graph(std::string name = "") : name_(std::move(name)) {}

  // --- building; each throws Error(invalid_argument) naming the layer and the sizes that don't fit ---
  ValueId add_input(std::string name, TensorType type);
  ValueId add_weight(std::string name, Tensor data, Weight::Role role);
  // A scalar or small array that belongs to the code of a layer rather than to its weights.
  ValueId add_constant(std::string name, Tensor data) {
    return add_weight(std::move(name), std::move(data), Weight::Role::constant);
  }
  // Nodes added from now on belong to this call of a layer.
  LayerId begin_layer(std::string name, std::string class_name);
  // Infers the types of the outputs and returns their values.
  std::vector<ValueId> add_node(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  // The same for an op with one output.
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {});
  void add_output(std::string name, ValueId value);
  // Facts for training that inference ignores: the Keras training_config (optimizer, loss, metrics) as JSON.
  void set_training_config(std::string json) { training_config_ = std::move(json); }

  // --- reading ---
  const std::string& name() const { return name_; }
  const std::vector<Value>& values() const { return values_; }
  const std::vector<Node>& nodes() const { return nodes_; }
  const std::vector<Layer>& layers() const { return layers_; }
  const std::vector<Weight>& weights() const { return weights_; }
  const std::vector<Port>& inputs() const { return inputs_; }
  const std::vector<Port>& outputs() const { return outputs_; }
  const std::string& training_config() const { return training_config_; }
  const TensorType& type(ValueId value) const { return values_.at(value).type; }

 private:
  ValueId add_value(TensorType type, Value::Kind kind, std::uint32_t source);

  std::string name_;
  std::string training_config_;
  std::vector<Value> values_;
  std::vector<Node> nodes_;
  std::vector<Layer> layers_;
  std::vector<Weight> weights_;
  std::vector<Port> inputs_;
  std::vector<Port> outputs_;
};

// Checks every invariant: order, indices, attributes, types, names, at least one output, no value used before
// it is made. Throws Error(invalid_argument | corrupt). Graphs from outside pass through here.
void verify(const Graph& graph);

// The graph as text for people and diffs: one line a node, grouped by layer, with types.
std::string dump(const Graph& graph);

// FLOPs of one node at the given batch size.
double node_flops(const Graph& graph, const Node& node, std::int64_t batch);

}  // namespace lamina
