// Ops that work element by element; batch normalisation and dropout among them.
#include "base/error.h"
#include "engine/openvino/lowering.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <openvino/op/abs.hpp>
#include <openvino/op/add.hpp>
#include <openvino/op/ceiling.hpp>
#include <openvino/op/clamp.hpp>
#include <openvino/op/constant.hpp>
#include <openvino/op/convert.hpp>
#include <openvino/op/cos.hpp>
#include <openvino/op/divide.hpp>
#include <openvino/op/elu.hpp>
#include <openvino/op/erf.hpp>
#include <openvino/op/exp.hpp>
#include <openvino/op/floor.hpp>
#include <openvino/op/gelu.hpp>
#include <openvino/op/hsigmoid.hpp>
#include <openvino/op/hswish.hpp>
#include <openvino/op/log.hpp>
#include <openvino/op/maximum.hpp>
#include <openvino/op/minimum.hpp>
#include <openvino/op/multiply.hpp>
#include <openvino/op/negative.hpp>
#include <openvino/op/power.hpp>
#include <openvino/op/prelu.hpp>
#include <openvino/op/relu.hpp>
#include <openvino/op/round.hpp>
#include <openvino/op/selu.hpp>
#include <openvino/op/sigmoid.hpp>
#include <openvino/op/sign.hpp>
#include <openvino/op/sin.hpp>
#include <openvino/op/softplus.hpp>
#include <openvino/op/softsign.hpp>
#include <openvino/op/sqrt.hpp>
#include <openvino/op/subtract.hpp>
#include <openvino/op/swish.hpp>
#include <openvino/op/tanh.hpp>

namespace lamina::openvino {

namespace {

Output scalar(const Output& like, double value) {
  return ov::op::v0::Constant::create(like.get_element_type(), {}, {value});
}

// Applies `make` to the input in whatever layout it has.
template <typename Make>
void unary(Lowering& lowering, const Node& node, Make make) {
  const Layout layout = lowering.layout_of(node.inputs[0]);
  lowering.set(node.outputs[0], make(lowering.get(node.inputs[0], layout)), layout);
}

template <typename Op>
void lower_unary(Lowering& lowering, const Node& node) {
  unary(lowering, node, [](const Output& x) { return std::make_shared<Op>(x); });
}

template <typename Op>
void lower_binary(Lowering& lowering, const Node& node) {
  const Layout layout = lowering.common_layout(node);
  const std::size_t rank = lowering.rank(node.outputs[0]);
  const Output a = lowering.get_operand(node.inputs[0], rank, layout);
  const Output b = lowering.get_operand(node.inputs[1], rank, layout);
  lowering.set(node.outputs[0], std::make_shared<Op>(a, b), layout);
}

void lower_rsqrt(Lowering& lowering, const Node& node) {
  unary(lowering, node,
        [](const Output& x) { return std::make_shared<ov::op::v1::Power>(x, scalar(x, -0.5)); });
}

void lower_square(Lowering& lowering, const Node& node) {
  unary(lowering, node, [](const Output& x) { return std::make_shared<ov::op::v1::Multiply>(x, x); });
}

void lower_relu6(Lowering& lowering, const Node& node) {
  unary(lowering, node, [](const Output& x) { return std::make_shared<ov::op::v0::Clamp>(x, 0, 6); });
}

void lower_clip(Lowering& lowering, const Node& node) {
  unary(lowering, node, [&](const Output& x) {
    return std::make_shared<ov::op::v0::Clamp>(x, node.attributes.number("min"),
                                               node.attributes.number("max"));
  });
}

void lower_round(Lowering& lowering, const Node& node) {
  unary(lowering, node, [](const Output& x) {
    return std::make_shared<ov::op::v5::Round>(x, ov::op::v5::Round::RoundMode::HALF_TO_EVEN);
  });
}

// Constants of Klambauer et al. 2017, as keras.ops.selu.
void lower_selu(Lowering& lowering, const Node& node) {
  unary(lowering, node, [](const Output& x) {
    return std::make_shared<ov::op::v0::Selu>(x, scalar(x, 1.6732632423543772),
                                              scalar(x, 1.0507009873554805));
  });
}

void lower_leaky_relu(Lowering& lowering, const Node& node) {
  unary(lowering, node, [&](const Output& x) {
    const Output slope =
        ov::op::v0::Constant::create(x.get_element_type(), {1}, {node.attributes.number("negative_slope")});
    return std::make_shared<ov::op::v0::PRelu>(x, slope);
  });
}

void lower_elu(Lowering& lowering, const Node& node) {
  unary(lowering, node, [&](const Output& x) {
    return std::make_shared<ov::op::v0::Elu>(x, node.attributes.number("alpha"));
  });
}

void lower_gelu(Lowering& lowering, const Node& node) {
  const auto mode = node.attributes.boolean("approximate") ? ov::op::GeluApproximationMode::TANH
                                                           : ov::op::GeluApproximationMode::ERF;
  unary(lowering, node, [&](const Output& x) { return std::make_shared<ov::op::v7::Gelu>(x, mode); });
}

void lower_alias(Lowering& lowering, const Node& node) { lowering.alias(node.inputs[0], node.outputs[0]); }

void lower_cast(Lowering& lowering, const Node& node) {
  const ov::element::Type type = element_type(lowering.graph().type(node.outputs[0]).dtype);
  unary(lowering, node, [&](const Output& x) { return std::make_shared<ov::op::v0::Convert>(x, type); });
}

// A parameter of batch normalisation as a constant that stands along `axis`.
Output along_axis(const std::vector<float>& values, std::size_t axis, std::size_t rank) {
  ov::Shape shape(rank, 1);
  shape[axis] = values.size();
  return ov::op::v0::Constant::create(ov::element::f32, shape, values);
}

// Statistics are constants when inferring: one factor and one offset a channel, which convolutions take into
// their weights.
void lower_batch_normalization(Lowering& lowering, const Node& node) {
  std::vector<std::vector<float>> parameters;
  for (std::size_t i = 1; i < 5; ++i) {
    const Weight* weight = lowering.weight(node.inputs[i]);
    if (weight == nullptr || weight->data.dtype() != DType::f32) {
      fail(ErrorCode::unsupported,
           "the engine openvino takes the parameters of batch_normalization as float32 weights");
    }
    parameters.push_back(weight->data.to_floats());
  }
  std::vector<float> factor(parameters[0].size());
  std::vector<float> offset(parameters[0].size());
  for (std::size_t i = 0; i < factor.size(); ++i) {
    const double scale = parameters[0][i] /
                         std::sqrt(static_cast<double>(parameters[3][i]) + node.attributes.number("epsilon"));
    factor[i] = static_cast<float>(scale);
    offset[i] = static_cast<float>(parameters[1][i] - parameters[2][i] * scale);
  }
  const std::size_t rank = lowering.rank(node.inputs[0]);
  const std::int64_t given = node.attributes.integer("axis");
  const auto axis = static_cast<std::size_t>(given < 0 ? given + static_cast<std::int64_t>(rank) : given);
  const Layout layout = lowering.layout_of(node.inputs[0]);
  const std::size_t place = Lowering::map_axis(axis, rank, layout);
  const Output scaled = std::make_shared<ov::op::v1::Multiply>(lowering.get(node.inputs[0], layout),
                                                               along_axis(factor, place, rank));
  lowering.set(node.outputs[0], std::make_shared<ov::op::v1::Add>(scaled, along_axis(offset, place, rank)),
               layout);
}

}  // namespace

const std::vector<OpLowering>& elementwise_lowerings() {
  static const std::vector<OpLowering> kLowerings = {
      {"abs", lower_unary<ov::op::v0::Abs>},
      {"exp", lower_unary<ov::op::v0::Exp>},
      {"log", lower_unary<ov::op::v0::Log>},
      {"sqrt", lower_unary<ov::op::v0::Sqrt>},
      {"rsqrt", lower_rsqrt},
      {"square", lower_square},
      {"negative", lower_unary<ov::op::v0::Negative>},
      {"erf", lower_unary<ov::op::v0::Erf>},
      {"sin", lower_unary<ov::op::v0::Sin>},
      {"cos", lower_unary<ov::op::v0::Cos>},
      {"floor", lower_unary<ov::op::v0::Floor>},
      {"ceil", lower_unary<ov::op::v0::Ceiling>},
      {"round", lower_round},
      {"sign", lower_unary<ov::op::v0::Sign>},
      {"relu", lower_unary<ov::op::v0::Relu>},
      {"relu6", lower_relu6},
      {"sigmoid", lower_unary<ov::op::v0::Sigmoid>},
      {"hard_sigmoid", lower_unary<ov::op::v5::HSigmoid>},
      {"tanh", lower_unary<ov::op::v0::Tanh>},
      {"softplus", lower_unary<ov::op::v4::SoftPlus>},
      {"softsign", lower_unary<ov::op::v9::SoftSign>},
      {"silu", lower_unary<ov::op::v4::Swish>},
      {"hard_silu", lower_unary<ov::op::v4::HSwish>},
      {"selu", lower_selu},
      {"leaky_relu", lower_leaky_relu},
      {"elu", lower_elu},
      {"gelu", lower_gelu},
      {"clip", lower_clip},
      {"identity", lower_alias},
      {"dropout", lower_alias},
      {"cast", lower_cast},
      {"add", lower_binary<ov::op::v1::Add>},
      {"subtract", lower_binary<ov::op::v1::Subtract>},
      {"multiply", lower_binary<ov::op::v1::Multiply>},
      {"divide", lower_binary<ov::op::v1::Divide>},
      {"maximum", lower_binary<ov::op::v1::Maximum>},
      {"minimum", lower_binary<ov::op::v1::Minimum>},
      {"power", lower_binary<ov::op::v1::Power>},
      {"batch_normalization", lower_batch_normalization},
  };
  return kLowerings;
}

}  // namespace lamina::openvino
