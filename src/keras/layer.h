// What a layer's function is given to lower one call of the layer to ops.
#pragma once

#include "base/json.h"
#include "graph/graph.h"
#include "keras/weight_store.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// A layer of the model as its configuration describes it. It lives as long as the reading; calls share its
// weights.
struct LayerInstance {
  std::string name;  // with the names of the models around it: "encoder/dense"
  std::string class_name;
  Json config;
  WeightPlace place;
  std::map<std::string, ValueId> weights;  // made by earlier calls
};

// One call of a layer.
class LayerCall {
 public:
  LayerCall(Graph& graph, const WeightStore& store, LayerInstance& layer, std::vector<ValueId> inputs,
            Json arguments, int keras_major, const std::string& file)
      : graph_(graph),
        store_(store),
        layer_(layer),
        inputs_(std::move(inputs)),
        arguments_(std::move(arguments)),
        keras_major_(keras_major),
        file_(file) {}

  const Json& config() const { return layer_.config; }
  // What the call was given beside its first tensors: {"args": […], "kwargs": {…}} of Keras 3, the keyword
  // arguments of Keras 2.
  const Json& arguments() const { return arguments_; }
  int keras_major() const { return keras_major_; }
  // "layer 'conv' (Conv2D) in 'model.keras'", for errors.
  std::string where() const;

  // --- tensors ---
  const std::vector<ValueId>& inputs() const { return inputs_; }
  // The only input; Error(corrupt) if there are more or fewer.
  ValueId input() const;
  const Shape& shape(ValueId value) const { return graph_.type(value).shape; }
  std::size_t rank(ValueId value) const { return graph_.type(value).shape.size(); }
  ValueId add(std::string_view op, std::vector<ValueId> inputs, Attributes attributes = {}) {
    return graph_.add(op, std::move(inputs), std::move(attributes));
  }
  // Turns inputs of whole numbers into float32, as layers do that compute.
  void convert_inputs_to_float();
  // x in the shape that `shape` says.
  ValueId reshape(ValueId x, Shape shape) { return add("reshape", {x}, {{"shape", std::move(shape)}}); }
  // Constants of a layer's code of the most elements that one may have; a configuration can ask for any.
  static constexpr std::int64_t kMaxConstant = std::int64_t{1} << 24U;
  ValueId filled(const std::string& name, const Shape& shape, float value);
  // A constant of the layer's code.
  ValueId constant(const std::string& name, Tensor value);
  ValueId scalar(const std::string& name, double value) {
    return constant(name, Tensor::scalar(static_cast<float>(value)));
  }
  // The layer's next weight, in the order in which Keras creates them. Error(corrupt) if the file lacks it or
  // holds another shape. With `as` its bytes take that shape in the graph.
  ValueId weight(const std::string& name, const Shape& expected, Weight::Role role = Weight::Role::trainable,
                 const Shape* as = nullptr);
  // The same for a weight that the layer creates and answers don't depend on.
  void pass_over_weight(const std::string& name, const Shape& expected);
  // --- configuration; a missing option has its default ---
  std::string text(const std::string& key, const std::string& otherwise) const;
  double number(const std::string& key, double otherwise) const;
  std::int64_t integer(const std::string& key, std::int64_t otherwise) const;
  bool boolean(const std::string& key, bool otherwise) const;
  bool is_null(const std::string& key) const;
  // One axis or a list of them as numbers from 0 to rank − 1; none where it is null.
  std::vector<std::int64_t> axes(const std::string& key, std::size_t rank, std::int64_t otherwise) const;
  // One integer for all axes or one for each: 2 or [2, 2].
  std::vector<std::int64_t> integers(const std::string& key, std::size_t count, std::int64_t otherwise) const;
  // Images are channels last here; Error(unsupported) for the other order.
  void expect_channels_last() const;
  [[noreturn]] void unsupported(const std::string& what) const;

 private:
  Graph& graph_;
  const WeightStore& store_;
  LayerInstance& layer_;
  std::vector<ValueId> inputs_;
  Json arguments_;
  int keras_major_;
  const std::string& file_;
  std::size_t next_weight_ = 0;
};

using LayerFunction = std::vector<ValueId> (*)(LayerCall& call);

// The function for a class of layers, or nullptr.
LayerFunction find_layer(const std::string& class_name);
// The same for an operation of keras.ops that was called on a tensor of a functional model ("Add" of
// keras.src.ops.numpy), and for Keras 2's TFOpLambda ("math.add").
LayerFunction find_operation(const std::string& class_name);
LayerFunction find_tensorflow_function(const std::string& name);

struct LayerEntry {
  std::string_view class_name;
  LayerFunction lower;
};
// The families, one file each.
const std::vector<LayerEntry>& core_layers();
const std::vector<LayerEntry>& convolution_layers();
const std::vector<LayerEntry>& pooling_layers();
const std::vector<LayerEntry>& normalization_layers();
const std::vector<LayerEntry>& activation_layers();
const std::vector<LayerEntry>& merging_layers();
const std::vector<LayerEntry>& reshaping_layers();
const std::vector<LayerEntry>& operations();
const std::vector<LayerEntry>& tensorflow_functions();

// Applies an activation as a configuration names it: "relu", null, {"class_name": "ReLU", …}.
ValueId apply_activation(LayerCall& call, ValueId x, const Json& activation);

}  // namespace lamina
