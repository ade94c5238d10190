// Reductions, softmax, layer normalisation.
#include "engine/openvino/lowering.h"

#include <algorithm>
#include <vector>

#include <openvino/op/add.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/log_softmax.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/mvn.hpp>
#include <openvino/op/reduce_max.hpp>
#include <openvino/op/reduce_mean.hpp>
#include <openvino/op/reduce_min.hpp>
#include <openvino/op/reduce_sum.hpp>
#include <openvino/op/softmax.hpp>

namespace lamina::openvino {

namespace {

std::vector<std::size_t> positive_axes(const Node& node, std::size_t rank) {
  std::vector<std::size_t> axes;
  for (const std::int64_t axis : node.attributes.integers("axes")) {
    axes.push_back(static_cast<std::size_t>(axis < 0 ? axis + static_cast<std::int64_t>(rank) : axis));
  }
  return axes;
}

bool are_the_spatial_ones(std::vector<std::size_t> axes, std::size_t rank) {
  std::sort(axes.begin(), axes.end());
  if (axes.size() + 2 != rank) return false;
  for (std::size_t i = 0; i < axes.size(); ++i) {
    if (axes[i] != i + 1) return false;
  }
  return true;
}

Output axes_constant(const std::vector<std::int64_t>& axes) {
  return ov::op::v0::Constant::create(ov::element::i64, {axes.size()}, axes);
}

template <typename Op>
void lower_reduction(Lowering& lowering, const Node& node) {
  const std::size_t rank = lowering.rank(node.inputs[0]);
  const std::vector<std::size_t> axes = positive_axes(node, rank);
  const bool keep = node.attributes.boolean("keepdims");
  // Without its axes a reduced tensor is in order in both layouts only if the spatial ones went, all of them.
  const Layout layout =
      keep || are_the_spatial_ones(axes, rank) ? lowering.layout_of(node.inputs[0]) : Layout::channels_last;
  std::vector<std::int64_t> mapped;
  for (const std::size_t axis : axes)
    mapped.push_back(static_cast<std::int64_t>(Lowering::map_axis(axis, rank, layout)));
  const Output result =
      std::make_shared<Op>(lowering.get(node.inputs[0], layout), axes_constant(mapped), keep);
  lowering.set(node.outputs[0], result, keep ? layout : Layout::channels_last);
}

std::int64_t positive_axis(Lowering& lowering, const Node& node) {
  const std::int64_t axis = node.attributes.integer("axis");
  return axis < 0 ? axis + static_cast<std::int64_t>(lowering.rank(node.inputs[0])) : axis;
}

void lower_softmax(Lowering& lowering, const Node& node) {
  const Output x = lowering.get(node.inputs[0], Layout::channels_last);
  lowering.set(node.outputs[0], std::make_shared<ov::op::v8::Softmax>(x, positive_axis(lowering, node)),
               Layout::channels_last);
}

void lower_log_softmax(Lowering& lowering, const Node& node) {
  const Output x = lowering.get(node.inputs[0], Layout::channels_last);
  lowering.set(node.outputs[0], std::make_shared<ov::op::v5::LogSoftmax>(x, positive_axis(lowering, node)),
               Layout::channels_last);
}

// gamma and beta have one axis for each normalised one, in the order they are named; with several axes they
// must be the last ones in order, so that plain broadcasting is right.
void lower_layer_normalization(Lowering& lowering, const Node& node) {
  const std::size_t rank = lowering.rank(node.inputs[0]);
  std::vector<std::int64_t> axes;
  ov::Shape shape(rank, 1);
  for (const std::size_t axis : positive_axes(node, rank)) {
    axes.push_back(static_cast<std::int64_t>(axis));
    shape[axis] = static_cast<std::size_t>(lowering.graph().type(node.inputs[0]).shape[axis]);
  }
  const auto parameter = [&](ValueId value) -> Output {
    const Weight* weight = lowering.weight(value);
    if (weight == nullptr) return lowering.get(value, Layout::channels_last);
    return ov::op::v0::Constant::create(ov::element::f32, shape, weight->data.to_floats());
  };
  const Output x = lowering.get(node.inputs[0], Layout::channels_last);
  const Output normal = std::make_shared<ov::op::v6::MVN>(
      x, axes_constant(axes), true, static_cast<float>(node.attributes.number("epsilon")),
      ov::op::MVNEpsMode::INSIDE_SQRT);
  const Output scaled = std::make_shared<ov::op::v1::Multiply>(normal, parameter(node.inputs[1]));
  lowering.set(node.outputs[0], std::make_shared<ov::op::v1::Add>(scaled, parameter(node.inputs[2])),
               Layout::channels_last);
}

}  // namespace

const std::vector<OpLowering>& reduction_lowerings() {
  static const std::vector<OpLowering> kLowerings = {{"mean", lower_reduction<ov::op::v1::ReduceMean>},
                                                     {"sum", lower_reduction<ov::op::v1::ReduceSum>},
                                                     {"max", lower_reduction<ov::op::v1::ReduceMax>},
                                                     {"min", lower_reduction<ov::op::v1::ReduceMin>},
                                                     {"softmax", lower_softmax},
                                                     {"log_softmax", lower_log_softmax},
                                                     {"layer_normalization", lower_layer_normalization}};
  return kLowerings;
}

}  // namespace lamina::openvino
