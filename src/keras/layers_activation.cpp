// Activations, as layers and by name.
#include "base/error.h"
#include "keras/layer.h"

#include <optional>

namespace lamina {

namespace {

ValueId scale(LayerCall& call, ValueId x, const std::string& name, double factor) {
  return call.add("multiply", {x, call.scalar(name, factor)});
}

// 1 where x is above zero, else 0.
ValueId step(LayerCall& call, ValueId x) {
  return call.add("clip", {call.add("sign", {x})}, {{"min", 0.0}, {"max", 1.0}});
}

// Activations that Keras 3 added (keras.src.activations.activations), made of other ops.
ValueId apply_newer(LayerCall& call, ValueId x, const std::string& name) {
  if (name == "mish") return call.add("multiply", {x, call.add("tanh", {call.add("softplus", {x})})});
  if (name == "celu") return call.add("elu", {x});
  if (name == "hard_tanh") return call.add("clip", {x}, {{"min", -1.0}, {"max", 1.0}});
  if (name == "log_sigmoid") {
    return call.add("negative", {call.add("softplus", {call.add("negative", {x})})});
  }
  if (name == "tanh_shrink") return call.add("subtract", {x, call.add("tanh", {x})});
  if (name == "soft_shrink") {
    return call.add("subtract", {x, call.add("clip", {x}, {{"min", -0.5}, {"max", 0.5}})});
  }
  if (name == "hard_shrink") {
    const ValueId beyond = call.add("subtract", {call.add("abs", {x}), call.scalar("shrink", 0.5)});
    return call.add("multiply", {x, step(call, beyond)});
  }
  if (name == "sparse_sigmoid") {
    const ValueId line = call.add("add", {scale(call, x, "half", 0.5), call.scalar("half", 0.5)});
    return call.add("clip", {line}, {{"min", 0.0}, {"max", 1.0}});
  }
  if (name == "sparse_plus") {
    // (x + 1)² / 4 between −1 and 1, 0 below, x above.
    const ValueId shifted = call.add("add", {x, call.scalar("one", 1)});
    const ValueId middle = call.add("clip", {shifted}, {{"min", 0.0}, {"max", 2.0}});
    const ValueId bow = scale(call, call.add("square", {middle}), "quarter", 0.25);
    return call.add("add", {bow, call.add("relu", {call.add("subtract", {x, call.scalar("one", 1)})})});
  }
  if (name == "squareplus") {
    const ValueId root =
        call.add("sqrt", {call.add("add", {call.add("square", {x}), call.scalar("four", 4)})});
    return scale(call, call.add("add", {x, root}), "half", 0.5);
  }
  call.unsupported("activation '" + name + "'");
}

ValueId apply_named(LayerCall& call, ValueId x, const std::string& name) {
  static const std::map<std::string, std::string> kSame = {{"relu", "relu"},
                                                           {"relu6", "relu6"},
                                                           {"sigmoid", "sigmoid"},
                                                           {"tanh", "tanh"},
                                                           {"softplus", "softplus"},
                                                           {"softsign", "softsign"},
                                                           {"selu", "selu"},
                                                           {"silu", "silu"},
                                                           {"swish", "silu"},
                                                           {"hard_silu", "hard_silu"},
                                                           {"hard_swish", "hard_silu"},
                                                           {"exponential", "exp"},
                                                           {"exp", "exp"},
                                                           {"elu", "elu"},
                                                           {"softmax", "softmax"},
                                                           {"log_softmax", "log_softmax"},
                                                           {"leaky_relu", "leaky_relu"}};
  if (name == "linear") return x;
  if (name == "gelu") return call.add("gelu", {x});
  if (name == "hard_sigmoid") {
    if (call.keras_major() >= 3) return call.add("hard_sigmoid", {x});
    // Keras 2 has another slope: clip(0.2 · x + 0.5, 0, 1).
    const ValueId scaled = call.add("multiply", {x, call.scalar("hard_sigmoid_slope", 0.2)});
    const ValueId shifted = call.add("add", {scaled, call.scalar("hard_sigmoid_offset", 0.5)});
    return call.add("clip", {shifted}, {{"min", 0.0}, {"max", 1.0}});
  }
  const auto found = kSame.find(name);
  if (found == kSame.end()) return apply_newer(call, x, name);
  return call.add(found->second, {x});
}

struct ReluOptions {
  double negative_slope = 0;
  std::optional<double> max_value;
  double threshold = 0;
};

// max_value above it, x from the threshold on, negative_slope · (x − threshold) below:
// keras.activations.relu.
ValueId apply_relu(LayerCall& call, ValueId x, const ReluOptions& options) {
  if (options.threshold == 0 && options.negative_slope == 0) {
    if (!options.max_value) return call.add("relu", {x});
    if (*options.max_value == 6) return call.add("relu6", {x});
    return call.add("clip", {x}, {{"min", 0.0}, {"max", *options.max_value}});
  }
  ValueId y = 0;
  if (options.threshold == 0) {
    y = call.add("leaky_relu", {x}, {{"negative_slope", options.negative_slope}});
  } else {
    // 1 from the threshold on, 0 below: the sign's −1, 0, 1 halved and rounded up.
    const ValueId distance = call.add("subtract", {x, call.scalar("threshold", options.threshold)});
    const ValueId half = call.add("multiply", {call.add("sign", {distance}), call.scalar("half", 0.5)});
    const ValueId above = call.add("ceil", {call.add("add", {half, call.scalar("half", 0.5)})});
    const ValueId below = call.add("subtract", {call.scalar("one", 1), above});
    const ValueId slope =
        call.add("multiply", {distance, call.scalar("negative_slope", options.negative_slope)});
    y = call.add("add", {call.add("multiply", {x, above}), call.add("multiply", {slope, below})});
  }
  if (!options.max_value) return y;
  return call.add("minimum", {y, call.scalar("max_value", *options.max_value)});
}

double number_in(const Json& config, const std::string& key, double otherwise, const std::string& where) {
  const auto found = config.find(key);
  return found == config.end() || found->is_null() ? otherwise : json_number(config, key, where);
}

ReluOptions relu_options(const Json& config, const std::string& where) {
  ReluOptions options;
  options.negative_slope = number_in(config, "negative_slope", 0, where);
  options.threshold = number_in(config, "threshold", 0, where);
  if (config.contains("max_value") && !config["max_value"].is_null()) {
    options.max_value = json_number(config, "max_value", where);
  }
  return options;
}

std::vector<ValueId> lower_relu(LayerCall& call) {
  return {apply_relu(call, call.input(), relu_options(call.config(), call.where()))};
}

std::vector<ValueId> lower_leaky_relu(LayerCall& call) {
  // Keras 2 calls the slope alpha.
  const double slope = call.number("negative_slope", call.number("alpha", 0.3));
  return {call.add("leaky_relu", {call.input()}, {{"negative_slope", slope}})};
}

std::vector<ValueId> lower_elu(LayerCall& call) {
  return {call.add("elu", {call.input()}, {{"alpha", call.number("alpha", 1)}})};
}

// max(x, 0) + alpha · min(x, 0) with one alpha an element, shared over some axes.
std::vector<ValueId> lower_prelu(LayerCall& call) {
  const ValueId x = call.input();
  Shape shape(call.shape(x).begin() + 1, call.shape(x).end());
  if (!call.is_null("shared_axes")) {
    for (const std::int64_t axis : json_integers(call.config(), "shared_axes", call.where())) {
      if (axis < 1 || axis > std::ssize(shape)) call.unsupported(fmt::format("shared axis {}", axis));
      shape[static_cast<std::size_t>(axis - 1)] = 1;
    }
  }
  const ValueId alpha = call.weight("alpha", shape);
  const ValueId negative = call.add("minimum", {x, call.scalar("zero", 0)});
  return {call.add("add", {call.add("relu", {x}), call.add("multiply", {alpha, negative})})};
}

std::vector<ValueId> lower_softmax(LayerCall& call) {
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  if (axes.size() == 1) return {call.add("softmax", {x}, {{"axis", axes[0]}})};
  // Over several axes: exponentials, less the largest for safety, divided by their sum.
  const Attributes over = {{"axes", axes}, {"keepdims", true}};
  const ValueId powers = call.add("exp", {call.add("subtract", {x, call.add("max", {x}, over)})});
  return {call.add("divide", {powers, call.add("sum", {powers}, over)})};
}

// Keras 2: x above theta, else 0.
std::vector<ValueId> lower_thresholded_relu(LayerCall& call) {
  const ValueId x = call.input();
  const ValueId beyond = call.add("subtract", {x, call.scalar("theta", call.number("theta", 1))});
  return {call.add("multiply", {x, step(call, beyond)})};
}

std::vector<ValueId> lower_activation(LayerCall& call) {
  return {apply_activation(call, call.input(), call.config().value("activation", Json()))};
}

}  // namespace

ValueId apply_activation(LayerCall& call, ValueId x, const Json& activation) {
  if (activation.is_null()) return x;
  if (activation.is_string()) return apply_named(call, x, activation.get<std::string>());
  const std::string class_name = json_string(activation, "class_name", call.where());
  const Json config = activation.value("config", Json::object());
  // A plain function travels as {"class_name": "function", "config": "relu"}.
  if (config.is_string()) return apply_named(call, x, config.get<std::string>());
  if (class_name == "ReLU") return apply_relu(call, x, relu_options(config, call.where()));
  if (class_name == "LeakyReLU") {
    const double slope =
        number_in(config, "negative_slope", number_in(config, "alpha", 0.3, call.where()), call.where());
    return call.add("leaky_relu", {x}, {{"negative_slope", slope}});
  }
  if (class_name == "ELU")
    return call.add("elu", {x}, {{"alpha", number_in(config, "alpha", 1, call.where())}});
  if (class_name == "Softmax") return call.add("softmax", {x});
  call.unsupported("activation " + json_excerpt(activation));
}

const std::vector<LayerEntry>& activation_layers() {
  static const std::vector<LayerEntry> kLayers = {
      {"Activation", lower_activation}, {"ReLU", lower_relu},
      {"LeakyReLU", lower_leaky_relu},  {"ELU", lower_elu},
      {"PReLU", lower_prelu},           {"ThresholdedReLU", lower_thresholded_relu},
      {"Softmax", lower_softmax}};
  return kLayers;
}

}  // namespace lamina
