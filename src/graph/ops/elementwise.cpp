// Ops that work element by element.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

#include <array>

namespace lamina {

namespace {

std::vector<TensorType> same_type(const Attributes&, Types inputs) { return {inputs[0]}; }

std::vector<TensorType> cast_type(const Attributes& attributes, Types inputs) {
  return {{dtype_from_string(attributes.text("dtype"), "op 'cast'"), inputs[0].shape}};
}

std::vector<TensorType> clip_type(const Attributes& attributes, Types inputs) {
  if (!(attributes.number("min") <= attributes.number("max"))) {
    fail(ErrorCode::invalid_argument, "op 'clip' has min {} and max {}, expected min ≤ max",
         attributes.number("min"), attributes.number("max"));
  }
  return {inputs[0]};
}

std::vector<TensorType> broadcast_type(const Attributes&, Types inputs) {
  expect_same_dtype(inputs, "elementwise");
  return {{inputs[0].dtype, broadcast(inputs[0].shape, inputs[1].shape)}};
}

std::vector<OpSpec> make_ops() {
  std::vector<OpSpec> ops;
  for (const std::string_view name :
       {"abs",     "exp",          "log",   "sqrt",     "rsqrt",    "square", "negative",  "erf",
        "sin",     "cos",          "floor", "ceil",     "round",    "sign",   "relu",      "relu6",
        "sigmoid", "hard_sigmoid", "tanh",  "softplus", "softsign", "silu",   "hard_silu", "selu"}) {
    ops.push_back({name, 1, 1, {}, same_type, output_elements});
  }
  ops.push_back({"leaky_relu", 1, 1, {{"negative_slope", 0.2}}, same_type, output_elements});
  ops.push_back({"elu", 1, 1, {{"alpha", 1.0}}, same_type, output_elements});
  ops.push_back({"gelu", 1, 1, {{"approximate", false}}, same_type, output_elements});
  ops.push_back({"clip", 1, 1, {{"min", 0.0, true}, {"max", 0.0, true}}, clip_type, output_elements});
  ops.push_back({"identity", 1, 1, {}, same_type, no_flops});
  ops.push_back({"cast", 1, 1, {{"dtype", std::string(), true}}, cast_type, no_flops});
  for (const std::string_view name :
       {"add", "subtract", "multiply", "divide", "maximum", "minimum", "power"}) {
    ops.push_back({name, 2, 2, {}, broadcast_type, output_elements});
  }
  return ops;
}

}  // namespace

std::span<const OpSpec> elementwise_ops() {
  static const std::vector<OpSpec> kOps = make_ops();
  return kOps;
}

}  // namespace lamina
