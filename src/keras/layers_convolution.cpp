// Convolutions.
#include "base/error.h"
#include "keras/layer.h"

namespace lamina {

namespace {

struct Settings {
  std::vector<std::int64_t> kernel_size;
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
  std::string padding;
};

Settings settings_of(LayerCall& call, std::size_t spatial) {
  call.convert_inputs_to_float();
  call.expect_channels_last();
  if (call.rank(call.input()) != spatial + 2) {
    call.unsupported(
        fmt::format("an input {} for {} spatial axes", to_string(call.shape(call.input())), spatial));
  }
  return {call.integers("kernel_size", spatial, 1), call.integers("strides", spatial, 1),
          call.integers("dilation_rate", spatial, 1), call.text("padding", "valid")};
}

// "causal" looks only back: what a kernel of dilated size needs is put before, along time.
ValueId pad_causally(LayerCall& call, ValueId x, Settings& settings) {
  if (settings.padding != "causal") return x;
  settings.padding = "valid";
  const std::int64_t before = (settings.kernel_size[0] - 1) * settings.dilations[0];
  return call.add(
      "pad", {x},
      {{"before", std::vector<std::int64_t>{0, before, 0}}, {"after", std::vector<std::int64_t>{0, 0, 0}}});
}

std::vector<ValueId> finish(LayerCall& call, ValueId y, std::int64_t filters) {
  if (call.boolean("use_bias", true)) y = call.add("add", {y, call.weight("bias", {filters})});
  return {apply_activation(call, y, call.config().value("activation", Json()))};
}

Attributes attributes_of(const Settings& settings, std::int64_t groups) {
  return {{"strides", settings.strides},
          {"dilations", settings.dilations},
          {"padding", settings.padding},
          {"groups", groups}};
}

template <std::size_t spatial>
std::vector<ValueId> lower_conv(LayerCall& call) {
  Settings settings = settings_of(call, spatial);
  const std::int64_t filters = call.integer("filters", 0);
  const std::int64_t groups = call.integer("groups", 1);
  const std::int64_t channels = call.shape(call.input()).back();
  if (groups < 1 || channels % groups != 0)
    call.unsupported(fmt::format("{} groups of {} channels", groups, channels));
  Shape kernel = settings.kernel_size;
  kernel.push_back(channels / groups);
  kernel.push_back(filters);
  const ValueId weights = call.weight("kernel", kernel);
  const ValueId x = pad_causally(call, call.input(), settings);
  return finish(call, call.add("conv", {x, weights}, attributes_of(settings, groups)), filters);
}

// A kernel (…, channels, multiplier) is one (…, 1, channels · multiplier) of as many groups as channels: the
// same bytes.
ValueId depthwise(LayerCall& call, const std::string& name, Settings& settings, std::int64_t multiplier) {
  const std::int64_t channels = call.shape(call.input()).back();
  Shape stored = settings.kernel_size;
  stored.push_back(channels);
  stored.push_back(multiplier);
  Shape as = settings.kernel_size;
  as.push_back(1);
  as.push_back(channels * multiplier);
  const ValueId weights = call.weight(name, stored, Weight::Role::trainable, &as);
  const ValueId x = pad_causally(call, call.input(), settings);
  return call.add("conv", {x, weights}, attributes_of(settings, channels));
}

template <std::size_t spatial>
std::vector<ValueId> lower_depthwise(LayerCall& call) {
  Settings settings = settings_of(call, spatial);
  const std::int64_t multiplier = call.integer("depth_multiplier", 1);
  // Keras 2 calls it depthwise_kernel, Keras 3 kernel.
  const std::string name = call.keras_major() >= 3 ? "kernel" : "depthwise_kernel";
  const ValueId y = depthwise(call, name, settings, multiplier);
  return finish(call, y, call.shape(y).back());
}

template <std::size_t spatial>
std::vector<ValueId> lower_separable(LayerCall& call) {
  Settings settings = settings_of(call, spatial);
  const std::int64_t filters = call.integer("filters", 0);
  const ValueId middle = depthwise(call, "depthwise_kernel", settings, call.integer("depth_multiplier", 1));
  Shape pointwise(spatial, 1);
  pointwise.push_back(call.shape(middle).back());
  pointwise.push_back(filters);
  const ValueId weights = call.weight("pointwise_kernel", pointwise);
  const ValueId y = call.add("conv", {middle, weights}, {{"strides", std::vector<std::int64_t>(spatial, 1)}});
  return finish(call, y, filters);
}

template <std::size_t spatial>
std::vector<ValueId> lower_conv_transpose(LayerCall& call) {
  const Settings settings = settings_of(call, spatial);
  const std::int64_t filters = call.integer("filters", 0);
  Shape kernel = settings.kernel_size;
  kernel.push_back(filters);
  kernel.push_back(call.shape(call.input()).back());
  Attributes attributes = {
      {"strides", settings.strides}, {"dilations", settings.dilations}, {"padding", settings.padding}};
  if (!call.is_null("output_padding"))
    attributes.set("output_padding", call.integers("output_padding", spatial, 0));
  const ValueId y = call.add("conv_transpose", {call.input(), call.weight("kernel", kernel)}, attributes);
  return finish(call, y, filters);
}

}  // namespace

const std::vector<LayerEntry>& convolution_layers() {
  static const std::vector<LayerEntry> kLayers = {
      {"Conv1D", lower_conv<1>},
      {"Conv2D", lower_conv<2>},
      {"Conv3D", lower_conv<3>},
      {"DepthwiseConv1D", lower_depthwise<1>},
      {"DepthwiseConv2D", lower_depthwise<2>},
      {"SeparableConv1D", lower_separable<1>},
      {"SeparableConv2D", lower_separable<2>},
      {"Conv1DTranspose", lower_conv_transpose<1>},
      {"Conv2DTranspose", lower_conv_transpose<2>},
      {"Conv3DTranspose", lower_conv_transpose<3>},
  };
  return kLayers;
}

}  // namespace lamina
