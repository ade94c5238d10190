// Batch and layer normalisation, and the fixed scaling of inputs.
#include "base/error.h"
#include "keras/layer.h"

#include <algorithm>
#include <cmath>

namespace lamina {

namespace {

// A weight, or where the layer has none, its neutral value.
ValueId weight_or(LayerCall& call, bool present, const std::string& name, const Shape& shape, float neutral) {
  if (present) return call.weight(name, shape);
  return call.filled(name, shape, neutral);
}

std::vector<ValueId> lower_batch_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  if (call.boolean("renorm", false)) call.unsupported("renorm");
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  if (axes.size() != 1) call.unsupported(fmt::format("normalisation over {} axes", axes.size()));
  const Shape shape = {call.shape(x)[static_cast<std::size_t>(axes[0])]};
  if (is_symbolic(shape)) call.unsupported("normalisation over the batch axis");
  const ValueId gamma = weight_or(call, call.boolean("scale", true), "gamma", shape, 1);
  const ValueId beta = weight_or(call, call.boolean("center", true), "beta", shape, 0);
  const ValueId mean = call.weight("moving_mean", shape, Weight::Role::non_trainable);
  const ValueId variance = call.weight("moving_variance", shape, Weight::Role::non_trainable);
  return {call.add("batch_normalization", {x, gamma, beta, mean, variance},
                   {{"axis", axes[0]},
                    {"epsilon", call.number("epsilon", 1e-3)},
                    {"momentum", call.number("momentum", 0.99)}})};
}

std::vector<ValueId> lower_layer_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  if (call.boolean("rms_scaling", false)) call.unsupported("rms_scaling");
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  Shape shape;
  for (const std::int64_t axis : axes) shape.push_back(call.shape(x)[static_cast<std::size_t>(axis)]);
  if (is_symbolic(shape)) call.unsupported("normalisation over the batch axis");
  const ValueId gamma = weight_or(call, call.boolean("scale", true), "gamma", shape, 1);
  const ValueId beta = weight_or(call, call.boolean("center", true), "beta", shape, 0);
  return {call.add("layer_normalization", {x, gamma, beta},
                   {{"axes", axes}, {"epsilon", call.number("epsilon", 1e-3)}})};
}

// Numbers of a configuration: one, or lists of lists of them.
void collect_numbers(const Json& value, std::vector<double>& numbers) {
  if (value.is_number()) numbers.push_back(value.get<double>());
  if (value.is_array()) {
    for (const Json& part : value) collect_numbers(part, numbers);
  }
}

// A constant that stands along `axes`, of one number or as many as these have places.
ValueId constant_along(LayerCall& call, const std::string& name, const std::vector<double>& numbers,
                       const Shape& along) {
  std::vector<float> values(numbers.begin(), numbers.end());
  const auto places = static_cast<std::size_t>(element_count(along));
  if (values.size() == 1) values.resize(places, values[0]);
  if (values.size() != places) {
    fail(ErrorCode::corrupt, "{}: '{}' has {} numbers for {}", call.where(), name, values.size(),
         to_string(along));
  }
  return call.constant(name, Tensor::of(along, values));
}

// (x − mean) / max(√variance, epsilon), as keras.layers.Normalization.
std::vector<ValueId> lower_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  Shape along(call.rank(x), 1);
  Shape stored;
  for (const std::int64_t axis : axes) {
    along[static_cast<std::size_t>(axis)] = call.shape(x)[static_cast<std::size_t>(axis)];
    stored.push_back(call.shape(x)[static_cast<std::size_t>(axis)]);
  }
  ValueId mean = 0;
  ValueId deviation = 0;
  if (call.is_null("mean")) {
    mean = call.weight("mean", stored, Weight::Role::non_trainable, &along);
    const ValueId variance = call.weight("variance", stored, Weight::Role::non_trainable, &along);
    call.pass_over_weight("count", {});
    deviation = call.add("maximum", {call.add("sqrt", {variance}), call.scalar("epsilon", 1e-7)});
  } else {
    std::vector<double> means;
    std::vector<double> variances;
    collect_numbers(call.config()["mean"], means);
    collect_numbers(call.config().value("variance", Json()), variances);
    for (double& variance : variances) variance = std::max(std::sqrt(variance), 1e-7);
    mean = constant_along(call, "mean", means, along);
    deviation = constant_along(call, "deviation", variances, along);
  }
  if (call.boolean("invert", false)) return {call.add("add", {mean, call.add("multiply", {x, deviation})})};
  return {call.add("divide", {call.add("subtract", {x, mean}), deviation})};
}

// x / √(mean of squares + epsilon) times a scale: keras.layers.RMSNormalization.
std::vector<ValueId> lower_rms_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  if (axes.size() != 1) call.unsupported(fmt::format("normalisation over {} axes", axes.size()));
  const std::int64_t size = call.shape(x)[static_cast<std::size_t>(axes[0])];
  Shape along(call.rank(x), 1);
  along[static_cast<std::size_t>(axes[0])] = size;
  const ValueId scale = call.weight("scale", {size}, Weight::Role::trainable, &along);
  const ValueId mean = call.add("mean", {call.add("square", {x})}, {{"axes", axes}, {"keepdims", true}});
  const ValueId safe = call.add("add", {mean, call.scalar("epsilon", call.number("epsilon", 1e-6))});
  return {call.add("multiply", {call.add("multiply", {x, call.add("rsqrt", {safe})}), scale})};
}

// x divided by its length along some axes: keras.layers.UnitNormalization.
std::vector<ValueId> lower_unit_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const std::vector<std::int64_t> axes = call.axes("axis", call.rank(x), -1);
  const ValueId sum = call.add("sum", {call.add("square", {x})}, {{"axes", axes}, {"keepdims", true}});
  const ValueId safe = call.add("maximum", {sum, call.scalar("epsilon", 1e-12)});
  return {call.add("multiply", {x, call.add("rsqrt", {safe})})};
}

// Mean and variance over all cells and the channels of one group: keras.layers.GroupNormalization.
std::vector<ValueId> lower_group_normalization(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const Shape shape = call.shape(x);
  const std::vector<std::int64_t> axes = call.axes("axis", shape.size(), -1);
  if (shape.size() < 2 || axes != std::vector<std::int64_t>{std::ssize(shape) - 1}) {
    call.unsupported("an axis other than the last");
  }
  const std::int64_t channels = shape.back();
  const std::int64_t asked = call.integer("groups", 32);
  const std::int64_t groups = asked == -1 ? channels : asked;
  if (groups < 1 || channels % groups != 0) {
    call.unsupported(fmt::format("{} groups of {} channels", groups, channels));
  }
  const std::int64_t cells = element_count({shape.begin() + 1, shape.end() - 1});
  const ValueId grouped = call.reshape(x, {shape[0], cells, groups, channels / groups});
  const Attributes over = {{"axes", std::vector<std::int64_t>{1, 3}}, {"keepdims", true}};
  const ValueId centred = call.add("subtract", {grouped, call.add("mean", {grouped}, over)});
  const ValueId variance = call.add("mean", {call.add("square", {centred})}, over);
  const ValueId safe = call.add("add", {variance, call.scalar("epsilon", call.number("epsilon", 1e-3))});
  ValueId y = call.reshape(call.add("multiply", {centred, call.add("rsqrt", {safe})}), shape);
  if (call.boolean("scale", true)) y = call.add("multiply", {y, call.weight("gamma", {channels})});
  if (call.boolean("center", true)) y = call.add("add", {y, call.weight("beta", {channels})});
  return {y};
}

std::vector<ValueId> lower_rescaling(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const auto operand = [&](const std::string& key, double otherwise) {
    std::vector<double> numbers;
    collect_numbers(call.config().value(key, Json(otherwise)), numbers);
    const auto size = static_cast<std::int64_t>(numbers.size());
    return numbers.size() == 1 ? call.scalar(key, numbers[0]) : constant_along(call, key, numbers, {size});
  };
  const ValueId scaled = call.add("multiply", {x, operand("scale", 1)});
  return {call.add("add", {scaled, operand("offset", 0)})};
}

}  // namespace

const std::vector<LayerEntry>& normalization_layers() {
  static const std::vector<LayerEntry> kLayers = {{"BatchNormalization", lower_batch_normalization},
                                                  {"BatchNormalizationV1", lower_batch_normalization},
                                                  {"SyncBatchNormalization", lower_batch_normalization},
                                                  {"LayerNormalization", lower_layer_normalization},
                                                  {"GroupNormalization", lower_group_normalization},
                                                  {"RMSNormalization", lower_rms_normalization},
                                                  {"UnitNormalization", lower_unit_normalization},
                                                  {"Normalization", lower_normalization},
                                                  {"Rescaling", lower_rescaling}};
  return kLayers;
}

}  // namespace lamina
