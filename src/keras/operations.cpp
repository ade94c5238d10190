// Operators and functions called on tensors of a functional model: x + 3, keras.ops.relu(x), tf.nn.relu(x).
#include "base/error.h"
#include "keras/layer.h"

namespace lamina {

namespace {

// The number that stands beside the tensor of a binary operation. Keras 3 keeps positions ("args":
// [tensor, 3.0]), Keras 2's TFOpLambda names it ("y": 3.0).
struct Operand {
  double value = 0;
  bool first = false;  // number − tensor rather than tensor − number
};

Operand number_beside(LayerCall& call) {
  const Json& arguments = call.arguments();
  const auto take = [&](const Json& value) {
    if (!value.is_number()) call.unsupported("an operand " + json_excerpt(value));
    return value.get<double>();
  };
  if (arguments.contains("args")) {
    const Json& args = arguments["args"];
    if (args.is_array() && args.size() == 2) {
      const bool first = args[0].is_number();
      return {take(args[first ? 0 : 1]), first};
    }
    for (const char* key : {"x2", "x1"}) {
      const Json kwargs = arguments.value("kwargs", Json::object());
      if (kwargs.is_object() && kwargs.contains(key) && kwargs[key].is_number()) {
        return {take(kwargs[key]), std::string_view(key) == "x1"};
      }
    }
  }
  for (const char* key : {"y", "x"}) {
    if (arguments.contains(key) && arguments[key].is_number()) {
      return {take(arguments[key]), std::string_view(key) == "x"};
    }
  }
  call.unsupported("the operands " + json_excerpt(arguments));
}

std::vector<ValueId> lower_binary(LayerCall& call, std::string_view op) {
  if (call.inputs().size() == 2) return {call.add(op, call.inputs())};
  const Operand operand = number_beside(call);
  const ValueId x = call.input();
  const ValueId number = call.scalar("operand", operand.value);
  return {operand.first ? call.add(op, {number, x}) : call.add(op, {x, number})};
}

std::vector<ValueId> lower_add(LayerCall& call) { return lower_binary(call, "add"); }
std::vector<ValueId> lower_subtract(LayerCall& call) { return lower_binary(call, "subtract"); }
std::vector<ValueId> lower_multiply(LayerCall& call) { return lower_binary(call, "multiply"); }
std::vector<ValueId> lower_divide(LayerCall& call) { return lower_binary(call, "divide"); }
std::vector<ValueId> lower_maximum(LayerCall& call) { return lower_binary(call, "maximum"); }
std::vector<ValueId> lower_minimum(LayerCall& call) { return lower_binary(call, "minimum"); }

template <const char* const& op>
std::vector<ValueId> lower_unary(LayerCall& call) {
  return {call.add(op, {call.input()})};
}

constexpr const char* kRelu = "relu";
constexpr const char* kRelu6 = "relu6";
constexpr const char* kSigmoid = "sigmoid";
constexpr const char* kTanh = "tanh";
constexpr const char* kSilu = "silu";
constexpr const char* kSoftmax = "softmax";
constexpr const char* kExp = "exp";
constexpr const char* kSqrt = "sqrt";
constexpr const char* kAbs = "abs";
constexpr const char* kNegative = "negative";
constexpr const char* kSquare = "square";

}  // namespace

const std::vector<LayerEntry>& operations() {
  static const std::vector<LayerEntry> kOperations = {{"Add", lower_add},
                                                      {"Subtract", lower_subtract},
                                                      {"Multiply", lower_multiply},
                                                      {"Divide", lower_divide},
                                                      {"TrueDivide", lower_divide},
                                                      {"Maximum", lower_maximum},
                                                      {"Minimum", lower_minimum},
                                                      {"Relu", lower_unary<kRelu>},
                                                      {"Relu6", lower_unary<kRelu6>},
                                                      {"Sigmoid", lower_unary<kSigmoid>},
                                                      {"Tanh", lower_unary<kTanh>},
                                                      {"Silu", lower_unary<kSilu>},
                                                      {"Exp", lower_unary<kExp>},
                                                      {"Sqrt", lower_unary<kSqrt>},
                                                      {"Absolute", lower_unary<kAbs>},
                                                      {"Abs", lower_unary<kAbs>},
                                                      {"Negative", lower_unary<kNegative>},
                                                      {"Square", lower_unary<kSquare>}};
  return kOperations;
}

const std::vector<LayerEntry>& tensorflow_functions() {
  static const std::vector<LayerEntry> kFunctions = {
      {"__operators__.add", lower_add},        {"math.add", lower_add},
      {"math.subtract", lower_subtract},       {"__operators__.sub", lower_subtract},
      {"math.multiply", lower_multiply},       {"__operators__.mul", lower_multiply},
      {"math.divide", lower_divide},           {"math.truediv", lower_divide},
      {"math.maximum", lower_maximum},         {"math.minimum", lower_minimum},
      {"nn.relu", lower_unary<kRelu>},         {"nn.relu6", lower_unary<kRelu6>},
      {"math.sigmoid", lower_unary<kSigmoid>}, {"nn.silu", lower_unary<kSilu>},
      {"math.tanh", lower_unary<kTanh>},       {"nn.softmax", lower_unary<kSoftmax>}};
  return kFunctions;
}

}  // namespace lamina
