// Ops that move elements.
#include "engine/openvino/lowering.h"

#include <cstdint>
#include <vector>

#include <openvino/op/concat.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/interpolate.hpp>
#include <openvino/op/pad.hpp>
#include <openvino/op/reshape.hpp>
#include <openvino/op/slice.hpp>
#include <openvino/op/transpose.hpp>

namespace lamina::openvino {

namespace {

Output integers(const std::vector<std::int64_t>& values) {
  return ov::op::v0::Constant::create(ov::element::i64, {values.size()}, values);
}

// Values given one for each axis, in the order of `layout`.
std::vector<std::int64_t> in_layout(const std::vector<std::int64_t>& values, Layout layout) {
  std::vector<std::int64_t> mapped(values.size());
  for (std::size_t axis = 0; axis < values.size(); ++axis) {
    mapped[Lowering::map_axis(axis, values.size(), layout)] = values[axis];
  }
  return mapped;
}

void lower_reshape(Lowering& lowering, const Node& node) {
  const Output x = lowering.get(node.inputs[0], Layout::channels_last);
  const Output shape = integers(lowering.sizes(node.attributes.integers("shape")));
  lowering.set(node.outputs[0], std::make_shared<ov::op::v1::Reshape>(x, shape, false),
               Layout::channels_last);
}

void lower_transpose(Lowering& lowering, const Node& node) {
  const Output x = lowering.get(node.inputs[0], Layout::channels_last);
  std::vector<std::int64_t> axes = node.attributes.integers("axes");
  for (std::int64_t& axis : axes) axis += axis < 0 ? static_cast<std::int64_t>(axes.size()) : 0;
  lowering.set(node.outputs[0], std::make_shared<ov::op::v1::Transpose>(x, integers(axes)),
               Layout::channels_last);
}

void lower_concatenate(Lowering& lowering, const Node& node) {
  const Layout layout = lowering.common_layout(node);
  const std::size_t rank = lowering.rank(node.outputs[0]);
  ov::OutputVector parts;
  for (const ValueId input : node.inputs) parts.push_back(lowering.get(input, layout));
  const std::int64_t given = node.attributes.integer("axis");
  const auto axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(rank) : given);
  const auto mapped = static_cast<std::int64_t>(Lowering::map_axis(axis, rank, layout));
  lowering.set(node.outputs[0], std::make_shared<ov::op::v0::Concat>(parts, mapped), layout);
}

void lower_slice(Lowering& lowering, const Node& node) {
  const Layout layout = lowering.layout_of(node.inputs[0]);
  const auto attribute = [&](std::string_view name) {
    return integers(in_layout(node.attributes.integers(name), layout));
  };
  const Output x = lowering.get(node.inputs[0], layout);
  lowering.set(
      node.outputs[0],
      std::make_shared<ov::op::v8::Slice>(x, attribute("begins"), attribute("ends"), attribute("steps")),
      layout);
}

ov::op::PadMode pad_mode(const std::string& mode) {
  if (mode == "reflect") return ov::op::PadMode::REFLECT;
  if (mode == "symmetric") return ov::op::PadMode::SYMMETRIC;
  return ov::op::PadMode::CONSTANT;
}

void lower_pad(Lowering& lowering, const Node& node) {
  const Layout layout = lowering.layout_of(node.inputs[0]);
  const Output x = lowering.get(node.inputs[0], layout);
  const Output value =
      ov::op::v0::Constant::create(x.get_element_type(), {}, {node.attributes.number("value")});
  const Output before = integers(in_layout(node.attributes.integers("before"), layout));
  const Output after = integers(in_layout(node.attributes.integers("after"), layout));
  lowering.set(
      node.outputs[0],
      std::make_shared<ov::op::v1::Pad>(x, before, after, value, pad_mode(node.attributes.text("mode"))),
      layout);
}

// Half-pixel centres, as keras.ops.image.resize.
void lower_resize(Lowering& lowering, const Node& node) {
  using Interpolate = ov::op::v4::Interpolate;
  Interpolate::InterpolateAttrs attributes;
  attributes.shape_calculation_mode = Interpolate::ShapeCalcMode::SIZES;
  if (node.attributes.text("method") == "nearest") {
    attributes.mode = Interpolate::InterpolateMode::NEAREST;
    attributes.coordinate_transformation_mode = Interpolate::CoordinateTransformMode::TF_HALF_PIXEL_FOR_NN;
    attributes.nearest_mode = Interpolate::NearestMode::FLOOR;
  } else {
    attributes.mode = Interpolate::InterpolateMode::LINEAR_ONNX;
    attributes.coordinate_transformation_mode = Interpolate::CoordinateTransformMode::HALF_PIXEL;
  }
  const Output x = lowering.get(node.inputs[0], Layout::channels_first);
  const auto& from = lowering.graph().type(node.inputs[0]).shape;
  const auto& size = node.attributes.integers("size");
  const std::vector<float> scales = {static_cast<float>(size[0]) / static_cast<float>(from[1]),
                                     static_cast<float>(size[1]) / static_cast<float>(from[2])};
  lowering.set(node.outputs[0],
               std::make_shared<Interpolate>(x, integers(size),
                                             ov::op::v0::Constant::create(ov::element::f32, {2}, scales),
                                             integers({2, 3}), attributes),
               Layout::channels_first);
}

}  // namespace

const std::vector<OpLowering>& movement_lowerings() {
  static const std::vector<OpLowering> kLowerings = {{"reshape", lower_reshape},
                                                     {"transpose", lower_transpose},
                                                     {"concatenate", lower_concatenate},
                                                     {"slice", lower_slice},
                                                     {"pad", lower_pad},
                                                     {"resize", lower_resize}};
  return kLowerings;
}

}  // namespace lamina::openvino
