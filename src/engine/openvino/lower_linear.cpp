// Matrix products and convolutions.
#include "base/error.h"
#include "engine/openvino/lowering.h"

#include <algorithm>
#include <cstdint>
#include <vector>

#include <openvino/op/convolution.hpp>
#include <openvino/op/group_conv.hpp>
#include <openvino/op/matmul.hpp>

namespace lamina::openvino {

namespace {

const Weight& expect_weight(Lowering& lowering, const Node& node) {
  const Weight* weight = lowering.weight(node.inputs[1]);
  if (weight == nullptr) {
    fail(ErrorCode::unsupported,
         "the engine openvino takes the kernel of '{}' as a weight, not as a computed value", node.op->name);
  }
  return *weight;
}

void lower_matmul(Lowering& lowering, const Node& node) {
  const Output a = lowering.get(node.inputs[0], Layout::channels_last);
  const Weight* weight = lowering.weight(node.inputs[1]);
  Output result;
  if (weight != nullptr && weight->data.shape().size() == 2) {
    // The plugin wants the weights of a dense layer one row an output.
    const Output b = make_permuted_constant(weight->data, weight->data.shape(), {1, 0});
    result = std::make_shared<ov::op::v0::MatMul>(a, b, false, true);
  } else {
    result = std::make_shared<ov::op::v0::MatMul>(a, lowering.get(node.inputs[1], Layout::channels_last));
  }
  lowering.set(node.outputs[0], result, Layout::channels_last);
}

struct Geometry {
  ov::Strides strides;
  ov::Strides dilations;
  ov::CoordinateDiff no_pads;
  ov::op::PadType padding;
};

Geometry geometry_of(const Node& node, std::size_t spatial) {
  Geometry geometry;
  for (const std::int64_t stride : node.attributes.integers("strides")) {
    geometry.strides.push_back(static_cast<std::size_t>(stride));
  }
  for (const std::int64_t dilation : node.attributes.integers("dilations")) {
    geometry.dilations.push_back(static_cast<std::size_t>(dilation));
  }
  if (geometry.dilations.empty()) geometry.dilations.assign(spatial, 1);
  geometry.no_pads.assign(spatial, 0);
  // TensorFlow pads more at the end where the two sides differ.
  geometry.padding =
      node.attributes.text("padding") == "same" ? ov::op::PadType::SAME_UPPER : ov::op::PadType::VALID;
  return geometry;
}

// Kernel (spatial…, in / groups, out) to (out, in, spatial…), or (groups, out / groups, in / groups,
// spatial…).
Output convolution_weights(const Tensor& kernel, std::int64_t groups) {
  const std::size_t spatial = kernel.shape().size() - 2;
  Shape as = kernel.shape();
  std::vector<std::size_t> axes;
  if (groups == 1) {
    axes = {spatial + 1, spatial};
  } else {
    as.back() = groups;
    as.push_back(kernel.shape().back() / groups);
    axes = {spatial + 1, spatial + 2, spatial};
  }
  for (std::size_t axis = 0; axis < spatial; ++axis) axes.push_back(axis);
  return make_permuted_constant(kernel, as, axes);
}

void lower_conv(Lowering& lowering, const Node& node) {
  const Tensor& kernel = expect_weight(lowering, node).data;
  const std::int64_t groups = node.attributes.integer("groups");
  const Geometry geometry = geometry_of(node, kernel.shape().size() - 2);
  const Output x = lowering.get(node.inputs[0], Layout::channels_first);
  const Output weights = convolution_weights(kernel, groups);
  Output result;
  if (groups == 1) {
    result =
        std::make_shared<ov::op::v1::Convolution>(x, weights, geometry.strides, geometry.no_pads,
                                                  geometry.no_pads, geometry.dilations, geometry.padding);
  } else {
    result = std::make_shared<ov::op::v1::GroupConvolution>(x, weights, geometry.strides, geometry.no_pads,
                                                            geometry.no_pads, geometry.dilations,
                                                            geometry.padding);
  }
  lowering.set(node.outputs[0], result, Layout::channels_first);
}

// The transpose of the convolution that maps an axis of `output` places to `input` ones: what that would pad
// is cut off, and places it would not reach are added at the end.
struct Trim {
  ov::CoordinateDiff before;
  ov::CoordinateDiff after;
  ov::CoordinateDiff extra;
};

Trim trim_of(const Shape& input, const Shape& output, const Shape& kernel, const Geometry& geometry) {
  Trim trim;
  for (std::size_t axis = 0; axis < geometry.strides.size(); ++axis) {
    const auto stride = static_cast<std::int64_t>(geometry.strides[axis]);
    const auto extent = (kernel[axis] - 1) * static_cast<std::int64_t>(geometry.dilations[axis]) + 1;
    const std::int64_t total = (input[axis + 1] - 1) * stride + extent - output[axis + 1];
    const std::int64_t cut = std::max<std::int64_t>(total, 0);
    const std::int64_t before = geometry.padding == ov::op::PadType::VALID ? 0 : cut / 2;
    trim.before.push_back(before);
    trim.after.push_back(cut - before);
    trim.extra.push_back(std::max<std::int64_t>(-total, 0));
  }
  return trim;
}

// Kernel (spatial…, out, in) to (in, out, spatial…).
void lower_conv_transpose(Lowering& lowering, const Node& node) {
  const Tensor& kernel = expect_weight(lowering, node).data;
  const std::size_t spatial = kernel.shape().size() - 2;
  std::vector<std::size_t> axes = {spatial + 1, spatial};
  for (std::size_t axis = 0; axis < spatial; ++axis) axes.push_back(axis);
  const Geometry geometry = geometry_of(node, spatial);
  const Trim trim = trim_of(lowering.graph().type(node.inputs[0]).shape,
                            lowering.graph().type(node.outputs[0]).shape, kernel.shape(), geometry);
  const Output result = std::make_shared<ov::op::v1::ConvolutionBackpropData>(
      lowering.get(node.inputs[0], Layout::channels_first),
      make_permuted_constant(kernel, kernel.shape(), axes), geometry.strides, trim.before, trim.after,
      geometry.dilations, ov::op::PadType::EXPLICIT, trim.extra);
  lowering.set(node.outputs[0], result, Layout::channels_first);
}

}  // namespace

const std::vector<OpLowering>& linear_lowerings() {
  static const std::vector<OpLowering> kLowerings = {
      {"matmul", lower_matmul}, {"conv", lower_conv}, {"conv_transpose", lower_conv_transpose}};
  return kLowerings;
}

}  // namespace lamina::openvino
