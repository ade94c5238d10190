// Pooling over windows and over everything.
#include "base/error.h"
#include "keras/layer.h"

namespace lamina {

namespace {

std::vector<ValueId> lower_pool(LayerCall& call, std::string_view op, std::size_t spatial) {
  call.expect_channels_last();
  const std::vector<std::int64_t> size = call.integers("pool_size", spatial, 2);
  // Windows stand side by side unless strides say otherwise.
  const std::vector<std::int64_t> strides =
      call.is_null("strides") ? size : call.integers("strides", spatial, 1);
  return {call.add(op, {call.input()},
                   {{"pool_size", size}, {"strides", strides}, {"padding", call.text("padding", "valid")}})};
}

template <std::size_t spatial>
std::vector<ValueId> lower_max_pool(LayerCall& call) {
  return lower_pool(call, "max_pool", spatial);
}

template <std::size_t spatial>
std::vector<ValueId> lower_average_pool(LayerCall& call) {
  return lower_pool(call, "average_pool", spatial);
}

std::vector<ValueId> lower_global_pool(LayerCall& call, std::string_view op) {
  call.expect_channels_last();
  std::vector<std::int64_t> axes;
  for (std::size_t axis = 1; axis + 1 < call.rank(call.input()); ++axis)
    axes.push_back(static_cast<std::int64_t>(axis));
  return {call.add(op, {call.input()}, {{"axes", axes}, {"keepdims", call.boolean("keepdims", false)}})};
}

std::vector<ValueId> lower_global_average(LayerCall& call) { return lower_global_pool(call, "mean"); }
std::vector<ValueId> lower_global_max(LayerCall& call) { return lower_global_pool(call, "max"); }

}  // namespace

const std::vector<LayerEntry>& pooling_layers() {
  static const std::vector<LayerEntry> kLayers = {
      {"MaxPooling1D", lower_max_pool<1>},
      {"MaxPooling2D", lower_max_pool<2>},
      {"MaxPooling3D", lower_max_pool<3>},
      {"AveragePooling1D", lower_average_pool<1>},
      {"AveragePooling2D", lower_average_pool<2>},
      {"AveragePooling3D", lower_average_pool<3>},
      {"GlobalAveragePooling1D", lower_global_average},
      {"GlobalAveragePooling2D", lower_global_average},
      {"GlobalAveragePooling3D", lower_global_average},
      {"GlobalMaxPooling1D", lower_global_max},
      {"GlobalMaxPooling2D", lower_global_max},
      {"GlobalMaxPooling3D", lower_global_max},
  };
  return kLayers;
}

}  // namespace lamina
