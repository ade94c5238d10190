// Pooling.
#include "engine/openvino/lowering.h"

#include <openvino/op/avg_pool.hpp>
#include <openvino/op/max_pool.hpp>

namespace lamina::openvino {

namespace {

struct Window {
  ov::Shape size;
  ov::Strides strides;
  ov::Shape no_pads;
  ov::op::PadType padding;
};

Window window_of(const Node& node) {
  Window window;
  for (const std::int64_t size : node.attributes.integers("pool_size")) {
    window.size.push_back(static_cast<std::size_t>(size));
  }
  for (const std::int64_t stride : node.attributes.integers("strides")) {
    window.strides.push_back(static_cast<std::size_t>(stride));
  }
  window.no_pads.assign(window.size.size(), 0);
  window.padding =
      node.attributes.text("padding") == "same" ? ov::op::PadType::SAME_UPPER : ov::op::PadType::VALID;
  return window;
}

void lower_max_pool(Lowering& lowering, const Node& node) {
  const Window window = window_of(node);
  const Output x = lowering.get(node.inputs[0], Layout::channels_first);
  lowering.set(
      node.outputs[0],
      std::make_shared<ov::op::v1::MaxPool>(x, window.strides, window.no_pads, window.no_pads, window.size,
                                            ov::op::RoundingType::FLOOR, window.padding),
      Layout::channels_first);
}

void lower_average_pool(Lowering& lowering, const Node& node) {
  const Window window = window_of(node);
  const Output x = lowering.get(node.inputs[0], Layout::channels_first);
  // Padded cells don't count, as in TensorFlow.
  lowering.set(
      node.outputs[0],
      std::make_shared<ov::op::v1::AvgPool>(x, window.strides, window.no_pads, window.no_pads, window.size,
                                            true, ov::op::RoundingType::FLOOR, window.padding),
      Layout::channels_first);
}

}  // namespace

const std::vector<OpLowering>& window_lowerings() {
  static const std::vector<OpLowering> kLowerings = {{"max_pool", lower_max_pool},
                                                     {"average_pool", lower_average_pool}};
  return kLowerings;
}

}  // namespace lamina::openvino
