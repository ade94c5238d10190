// Batch and layer normalisation, dropout.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

namespace lamina {

namespace {

void expect_epsilon(const Attributes& attributes, std::string_view op) {
  if (!(attributes.number("epsilon") >= 0)) {
    fail(ErrorCode::invalid_argument, "op '{}' has epsilon {}, expected at least 0", op,
         attributes.number("epsilon"));
  }
}

std::vector<TensorType> batch_normalization_type(const Attributes& attributes, Types inputs) {
  expect_same_dtype(inputs, "batch_normalization");
  expect_epsilon(attributes, "batch_normalization");
  const Shape& x = inputs[0].shape;
  const std::size_t axis = normalize_axis(attributes.integer("axis"), x.size(), "batch_normalization");
  for (const TensorType& parameter : inputs.subspan(1)) {
    if (parameter.shape != Shape{x[axis]}) {
      fail(ErrorCode::invalid_argument,
           "op 'batch_normalization' was given {} with parameters {} for axis {}", to_string(x),
           to_string(parameter.shape), axis);
    }
  }
  return {inputs[0]};
}

std::vector<TensorType> layer_normalization_type(const Attributes& attributes, Types inputs) {
  expect_same_dtype(inputs, "layer_normalization");
  expect_epsilon(attributes, "layer_normalization");
  const Shape& x = inputs[0].shape;
  Shape normalized;
  for (const std::size_t axis :
       normalize_axes(attributes.integers("axes"), x.size(), "layer_normalization")) {
    normalized.push_back(x[axis]);
  }
  for (const TensorType& parameter : inputs.subspan(1)) {
    if (parameter.shape != normalized || is_symbolic(normalized)) {
      fail(ErrorCode::invalid_argument, "op 'layer_normalization' over {} of {} was given parameters {}",
           to_string(normalized), to_string(x), to_string(parameter.shape));
    }
  }
  return {inputs[0]};
}

std::vector<TensorType> dropout_type(const Attributes& attributes, Types inputs) {
  const double rate = attributes.number("rate");
  if (!(rate >= 0 && rate <= 1)) {
    fail(ErrorCode::invalid_argument, "op 'dropout' has rate {}, expected 0 to 1", rate);
  }
  if (!attributes.integers("noise_shape").empty()) {
    const Shape noise = attributes.integers("noise_shape");
    if (broadcast(inputs[0].shape, noise) != inputs[0].shape) {
      fail(ErrorCode::invalid_argument, "op 'dropout' has noise shape {} for {}", to_string(noise),
           to_string(inputs[0].shape));
    }
  }
  return {inputs[0]};
}

double scale_and_shift(const Attributes& attributes, Types inputs, Types outputs) {
  return 2 * output_elements(attributes, inputs, outputs);
}

// Mean, variance, scale and shift.
double layer_normalization_flops(const Attributes& attributes, Types inputs, Types outputs) {
  return 8 * output_elements(attributes, inputs, outputs);
}

}  // namespace

std::span<const OpSpec> normalization_ops() {
  static const std::vector<OpSpec> kOps = {
      {"batch_normalization",
       5,
       5,
       {{"axis", std::int64_t{-1}}, {"epsilon", 0.001}, {"momentum", 0.99}},
       batch_normalization_type,
       scale_and_shift},
      {"layer_normalization",
       3,
       3,
       {{"axes", std::vector<std::int64_t>{}, true}, {"epsilon", 0.001}},
       layer_normalization_type,
       layer_normalization_flops},
      {"dropout",
       1,
       1,
       {{"rate", 0.0, true}, {"noise_shape", std::vector<std::int64_t>{}}, {"seed", std::int64_t{0}}},
       dropout_type,
       no_flops},
  };
  return kOps;
}

}  // namespace lamina
