// Dense, and layers that do nothing when a model infers.
#include "base/error.h"
#include "keras/layer.h"

namespace lamina {

namespace {

std::vector<ValueId> lower_dense(LayerCall& call) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const std::int64_t units = call.integer("units", 0);
  if (call.rank(x) < 2) call.unsupported("an input " + to_string(call.shape(x)));
  const ValueId kernel = call.weight("kernel", {call.shape(x).back(), units});
  ValueId y = call.add("matmul", {x, kernel});
  if (call.boolean("use_bias", true)) y = call.add("add", {y, call.weight("bias", {units})});
  return {apply_activation(call, y, call.config().value("activation", Json()))};
}

std::vector<ValueId> lower_identity(LayerCall& call) { return {call.add("identity", {call.input()})}; }

std::vector<ValueId> lower_dropout(LayerCall& call) {
  const ValueId x = call.input();
  Shape noise;
  if (!call.is_null("noise_shape")) {
    const Json& sizes = json_array(call.config(), "noise_shape", call.where());
    if (sizes.size() != call.rank(x)) call.unsupported("noise_shape " + json_excerpt(sizes));
    // Null stands for the input's own size.
    for (std::size_t axis = 0; axis < sizes.size(); ++axis) {
      const bool own = !sizes[axis].is_number_integer();
      noise.push_back(own ? call.shape(x)[axis] : sizes[axis].get<std::int64_t>());
    }
  }
  return {call.add(
      "dropout", {x},
      {{"rate", call.number("rate", 0.5)}, {"noise_shape", noise}, {"seed", call.integer("seed", 0)}})};
}

// Whole feature maps are dropped together.
std::vector<ValueId> lower_spatial_dropout(LayerCall& call) {
  call.expect_channels_last();
  const ValueId x = call.input();
  Shape noise(call.rank(x), 1);
  noise.front() = call.shape(x).front();
  noise.back() = call.shape(x).back();
  return {call.add("dropout", {x}, {{"rate", call.number("rate", 0.5)}, {"noise_shape", noise}})};
}

// keras.applications.convnext: whole items of the batch skip the branch.
std::vector<ValueId> lower_stochastic_depth(LayerCall& call) {
  const ValueId x = call.input();
  Shape noise(call.rank(x), 1);
  noise.front() = call.shape(x).front();
  const std::string key = call.is_null("drop_path_rate") ? "drop_path" : "drop_path_rate";
  return {call.add("dropout", {x}, {{"rate", call.number(key, 0)}, {"noise_shape", noise}})};
}

// keras.applications.convnext: x times one factor a channel.
std::vector<ValueId> lower_layer_scale(LayerCall& call) {
  const ValueId gamma = call.weight("gamma", {call.integer("projection_dim", 0)});
  return {call.add("multiply", {call.input(), gamma})};
}

// keras.applications.inception_resnet_v2: the first input plus the second, scaled.
std::vector<ValueId> lower_custom_scale(LayerCall& call) {
  if (call.inputs().size() != 2) call.unsupported("a call on other than 2 tensors");
  const ValueId scaled =
      call.add("multiply", {call.inputs()[1], call.scalar("scale", call.number("scale", 1))});
  return {call.add("add", {call.inputs()[0], scaled})};
}

}  // namespace

const std::vector<LayerEntry>& core_layers() {
  static const std::vector<LayerEntry> kLayers = {
      {"Dense", lower_dense},
      {"Identity", lower_identity},
      {"ActivityRegularization", lower_identity},
      {"GaussianNoise", lower_identity},
      {"GaussianDropout", lower_identity},
      {"AlphaDropout", lower_identity},
      {"Dropout", lower_dropout},
      {"SpatialDropout1D", lower_spatial_dropout},
      {"SpatialDropout2D", lower_spatial_dropout},
      {"SpatialDropout3D", lower_spatial_dropout},
      {"StochasticDepth", lower_stochastic_depth},
      {"LayerScale", lower_layer_scale},
      {"CustomScaleLayer", lower_custom_scale},
  };
  return kLayers;
}

}  // namespace lamina
