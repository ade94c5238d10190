// Reductions over axes, and softmax.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

#include <algorithm>

namespace lamina {

namespace {

std::vector<TensorType> reduce_type(const Attributes& attributes, Types inputs) {
  const Shape& x = inputs[0].shape;
  const std::vector<std::size_t> axes = normalize_axes(attributes.integers("axes"), x.size(), "reduction");
  Shape result;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const bool reduced = std::find(axes.begin(), axes.end(), axis) != axes.end();
    if (!reduced) result.push_back(x[axis]);
    if (reduced && attributes.boolean("keepdims")) result.push_back(1);
  }
  return {{inputs[0].dtype, result}};
}

std::vector<TensorType> softmax_type(const Attributes& attributes, Types inputs) {
  normalize_axis(attributes.integer("axis"), inputs[0].shape.size(), "softmax");
  return {inputs[0]};
}

double input_elements(const Attributes& attributes, Types inputs, Types) {
  return output_elements(attributes, inputs, inputs);
}

// An exponential, a subtraction, a sum, a maximum and a division.
double softmax_flops(const Attributes& attributes, Types inputs, Types outputs) {
  return 5 * output_elements(attributes, inputs, outputs);
}

}  // namespace

std::span<const OpSpec> reduction_ops() {
  const std::vector<AttributeSpec> attributes = {{"axes", std::vector<std::int64_t>{}, true},
                                                 {"keepdims", false}};
  static const std::vector<OpSpec> kOps = {
      {"mean", 1, 1, attributes, reduce_type, input_elements},
      {"sum", 1, 1, attributes, reduce_type, input_elements},
      {"max", 1, 1, attributes, reduce_type, input_elements},
      {"min", 1, 1, attributes, reduce_type, input_elements},
      {"softmax", 1, 1, {{"axis", std::int64_t{-1}}}, softmax_type, softmax_flops},
      {"log_softmax", 1, 1, {{"axis", std::int64_t{-1}}}, softmax_type, softmax_flops},
  };
  return kOps;
}

}  // namespace lamina
