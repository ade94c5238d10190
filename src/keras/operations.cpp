// Operators and functions called on tensors of a functional model: x + 3, keras.ops.relu(x), tf.nn.relu(x).
#include "base/error.h"
#include "keras/layer.h"

#include <limits>

namespace lamina {

namespace {

using Values = std::vector<ValueId>;

// An option of an operation. Keras 3 keeps it in the configuration, else among the keyword arguments; Keras 2
// has keyword arguments alone. Null where it is missing.
Json option(LayerCall& call, const std::string& key) {
  if (call.config().contains(key)) return call.config()[key];
  const Json& arguments = call.arguments();
  const Json kwargs = arguments.value("kwargs", Json::object());
  if (kwargs.is_object() && kwargs.contains(key)) return kwargs[key];
  return arguments.value(key, Json());
}

double number_option(LayerCall& call, const std::string& key, double otherwise) {
  const Json value = option(call, key);
  return value.is_null() ? otherwise : json_number(Json{{key, value}}, key, call.where());
}

std::int64_t integer_option(LayerCall& call, const std::string& key, std::int64_t otherwise) {
  const Json value = option(call, key);
  return value.is_null() ? otherwise : json_integer(Json{{key, value}}, key, call.where());
}

// An axis as a number from 0 to rank − 1.
std::int64_t checked_axis(LayerCall& call, std::int64_t axis, std::size_t rank) {
  const auto count = static_cast<std::int64_t>(rank);
  if (axis < -count || axis >= count) {
    fail(ErrorCode::corrupt, "{}: axis {} of a tensor of {} axes", call.where(), axis, rank);
  }
  return axis < 0 ? axis + count : axis;
}

// --- arithmetic ---

// The number that stands beside the tensor of a binary operation. Keras 3 keeps positions ("args":
// [tensor, 3.0]), Keras 2's TFOpLambda names it ("y": 3.0).
struct Operand {
  double value = 0;
  bool first = false;  // number − tensor rather than tensor − number
};

Operand number_beside(LayerCall& call) {
  const Json& arguments = call.arguments();
  const Json args = arguments.value("args", Json());
  if (args.is_array() && args.size() == 2) {
    for (const std::size_t place : {0, 1}) {
      if (args[place].is_number()) return {args[place].get<double>(), place == 0};
    }
  }
  for (const char* key : {"x2", "y"}) {
    const Json value = option(call, key);
    if (value.is_number()) return {value.get<double>(), false};
  }
  for (const char* key : {"x1", "x"}) {
    const Json value = option(call, key);
    if (value.is_number()) return {value.get<double>(), true};
  }
  call.unsupported("the operands " + json_excerpt(arguments));
}

Values lower_binary(LayerCall& call, std::string_view op) {
  call.convert_inputs_to_float();
  if (call.inputs().size() == 2) return {call.add(op, call.inputs())};
  const ValueId x = call.input();
  const Operand operand = number_beside(call);
  const ValueId number = call.scalar(fmt::format("operand_{}", operand.value), operand.value);
  return {operand.first ? call.add(op, {number, x}) : call.add(op, {x, number})};
}

Values lower_add(LayerCall& call) { return lower_binary(call, "add"); }
Values lower_subtract(LayerCall& call) { return lower_binary(call, "subtract"); }
Values lower_multiply(LayerCall& call) { return lower_binary(call, "multiply"); }
Values lower_divide(LayerCall& call) { return lower_binary(call, "divide"); }
Values lower_maximum(LayerCall& call) { return lower_binary(call, "maximum"); }
Values lower_minimum(LayerCall& call) { return lower_binary(call, "minimum"); }
Values lower_power(LayerCall& call) { return lower_binary(call, "power"); }

Values lower_matmul(LayerCall& call) {
  if (call.inputs().size() != 2)
    call.unsupported(fmt::format("a product of {} tensors", call.inputs().size()));
  return {call.add("matmul", call.inputs())};
}

// --- elementwise ---

template <const char* const& op>
Values lower_unary(LayerCall& call) {
  return {call.add(op, {call.input()})};
}

constexpr const char* kAbs = "abs";
constexpr const char* kCeil = "ceil";
constexpr const char* kCos = "cos";
constexpr const char* kErf = "erf";
constexpr const char* kExp = "exp";
constexpr const char* kFloor = "floor";
constexpr const char* kHardSilu = "hard_silu";
constexpr const char* kIdentity = "identity";
constexpr const char* kLog = "log";
constexpr const char* kNegative = "negative";
constexpr const char* kRelu = "relu";
constexpr const char* kRelu6 = "relu6";
constexpr const char* kRound = "round";
constexpr const char* kRsqrt = "rsqrt";
constexpr const char* kSelu = "selu";
constexpr const char* kSigmoid = "sigmoid";
constexpr const char* kSign = "sign";
constexpr const char* kSilu = "silu";
constexpr const char* kSin = "sin";
constexpr const char* kSoftplus = "softplus";
constexpr const char* kSoftsign = "softsign";
constexpr const char* kSqrt = "sqrt";
constexpr const char* kSquare = "square";
constexpr const char* kTanh = "tanh";

Values lower_hard_sigmoid(LayerCall& call) { return {apply_activation(call, call.input(), "hard_sigmoid")}; }

Values lower_leaky_relu(LayerCall& call) {
  const double slope = number_option(call, "negative_slope", number_option(call, "alpha", 0.2));
  return {call.add("leaky_relu", {call.input()}, {{"negative_slope", slope}})};
}

Values lower_elu(LayerCall& call) {
  return {call.add("elu", {call.input()}, {{"alpha", number_option(call, "alpha", 1)}})};
}

// Keras 3's operation approximates unless told otherwise, TensorFlow's does not.
Values lower_gelu(LayerCall& call) {
  const Json approximate = option(call, "approximate");
  return {call.add(
      "gelu", {call.input()},
      {{"approximate", approximate.is_boolean() ? approximate.get<bool>() : call.keras_major() >= 3}})};
}

Values lower_clip(LayerCall& call) {
  const bool keras = !option(call, "x_min").is_null();
  const double unset = std::numeric_limits<double>::quiet_NaN();
  const double least = number_option(call, keras ? "x_min" : "clip_value_min", unset);
  const double most = number_option(call, keras ? "x_max" : "clip_value_max", unset);
  if (!(least <= most)) call.unsupported("the bounds " + json_excerpt(call.config()));
  return {call.add("clip", {call.input()}, {{"min", least}, {"max", most}})};
}

Values lower_softmax(LayerCall& call) {
  const ValueId x = call.input();
  const std::int64_t axis = checked_axis(call, integer_option(call, "axis", -1), call.rank(x));
  return {call.add("softmax", {x}, {{"axis", axis}})};
}

// --- reductions ---

Values lower_reduction(LayerCall& call, std::string_view op) {
  call.convert_inputs_to_float();
  const ValueId x = call.input();
  const Json axis = option(call, "axis");
  std::vector<std::int64_t> axes;
  if (axis.is_number_integer()) axes = {axis.get<std::int64_t>()};
  if (axis.is_array()) axes = json_integers(Json{{"axis", axis}}, "axis", call.where());
  for (std::int64_t& one : axes) {
    one = checked_axis(call, one, call.rank(x));
    if (one == 0) call.unsupported("a reduction over the batch");
  }
  if (axes.empty()) call.unsupported("a reduction over the axes " + json_excerpt(axis));
  const bool keepdims = option(call, "keepdims") == Json(true);
  return {call.add(op, {x}, {{"axes", axes}, {"keepdims", keepdims}})};
}

Values lower_mean(LayerCall& call) { return lower_reduction(call, "mean"); }
Values lower_sum(LayerCall& call) { return lower_reduction(call, "sum"); }
Values lower_max(LayerCall& call) { return lower_reduction(call, "max"); }
Values lower_min(LayerCall& call) { return lower_reduction(call, "min"); }

// --- shapes ---

Values lower_concatenate(LayerCall& call) {
  if (call.inputs().empty()) call.unsupported("a call on no tensors");
  const std::int64_t axis = checked_axis(call, integer_option(call, "axis", -1), call.rank(call.inputs()[0]));
  return {call.add("concatenate", call.inputs(), {{"axis", axis}})};
}

Values lower_transpose(LayerCall& call) {
  Json axes = option(call, "axes");
  if (axes.is_null()) axes = option(call, "perm");
  if (axes.is_null()) call.unsupported("a transposition of all axes, the batch among them");
  return {call.add("transpose", {call.input()},
                   {{"axes", json_integers(Json{{"axes", axes}}, "axes", call.where())}})};
}

// The first size is the batch, as −1 or as its own number; one more may be −1 then.
Values lower_reshape(LayerCall& call) {
  const ValueId x = call.input();
  const Shape& shape = call.shape(x);
  Json asked = option(call, "newshape");
  if (asked.is_null()) asked = option(call, "shape");
  Shape target = json_integers(Json{{"shape", asked}}, "shape", call.where());
  if (target.size() < 1 || shape.empty() || (target[0] != -1 && target[0] != shape[0])) {
    call.unsupported("the shape " + json_excerpt(asked));
  }
  const std::int64_t elements = element_count({shape.begin() + 1, shape.end()});
  std::int64_t known = 1;
  std::int64_t* open = nullptr;
  for (std::size_t axis = 1; axis < target.size(); ++axis) {
    if (target[axis] == -1 && open == nullptr) {
      open = &target[axis];
    } else if (target[axis] < 1 || __builtin_mul_overflow(known, target[axis], &known)) {
      call.unsupported("the shape " + json_excerpt(asked));
    }
  }
  if (open != nullptr) *open = elements / known;
  target[0] = shape[0];
  return {call.reshape(x, target)};
}

Values lower_expand_dims(LayerCall& call) {
  const ValueId x = call.input();
  Shape shape = call.shape(x);
  const std::int64_t axis = checked_axis(call, integer_option(call, "axis", -1), shape.size() + 1);
  if (axis == 0) call.unsupported("an axis before the batch");
  shape.insert(shape.begin() + axis, 1);
  return {call.reshape(x, shape)};
}

Values lower_squeeze(LayerCall& call) {
  const ValueId x = call.input();
  Shape shape = call.shape(x);
  const Json asked = option(call, "axis");
  if (!asked.is_number_integer()) call.unsupported("axis " + json_excerpt(asked));
  const std::int64_t axis = checked_axis(call, asked.get<std::int64_t>(), shape.size());
  if (shape[static_cast<std::size_t>(axis)] != 1) call.unsupported("axis " + json_excerpt(asked));
  shape.erase(shape.begin() + axis);
  return {call.reshape(x, shape)};
}

// x[:, 1:, ..., -1]: an entry is a slice, a number, an ellipsis, or null for a new axis.
struct Indexing {
  std::vector<std::int64_t> begins;
  std::vector<std::int64_t> ends;
  std::vector<std::int64_t> steps;
  std::vector<bool> dropped;       // axes of x that a number removes
  std::vector<std::size_t> fresh;  // places of new axes, before the axis of x of that number
};

constexpr std::int64_t kToTheEnd = std::numeric_limits<std::int64_t>::max();

void take_all(Indexing& indexing) {
  indexing.begins.push_back(0);
  indexing.ends.push_back(kToTheEnd);
  indexing.steps.push_back(1);
  indexing.dropped.push_back(false);
}

bool is_ellipsis(const Json& entry) {
  return entry.is_object() && entry.value("class_name", Json()) == Json("__ellipsis__");
}

void take_entry(LayerCall& call, const Json& entry, Indexing& indexing) {
  if (entry.is_null()) {
    indexing.fresh.push_back(indexing.begins.size());
    return;
  }
  take_all(indexing);
  if (entry.is_number_integer()) {
    const auto index = entry.get<std::int64_t>();
    indexing.begins.back() = index;
    indexing.ends.back() = index == -1 ? kToTheEnd : index + 1;
    indexing.dropped.back() = true;
    return;
  }
  // Keras 3 wraps a slice as {"class_name": "__slice__", "config": {…}}.
  const Json slice = entry.is_object() ? entry.value("config", entry) : Json();
  if (!slice.is_object()) call.unsupported("the index " + json_excerpt(entry));
  const auto part = [&](const char* key, std::int64_t otherwise) {
    const Json value = slice.value(key, Json());
    return value.is_null() ? otherwise : json_integer(slice, key, call.where());
  };
  indexing.begins.back() = part("start", 0);
  indexing.ends.back() = part("stop", kToTheEnd);
  indexing.steps.back() = part("step", 1);
  if (indexing.steps.back() < 1) call.unsupported("a slice " + json_excerpt(slice));
}

Values lower_get_item(LayerCall& call) {
  const ValueId x = call.input();
  const Json args = call.arguments().value("args", Json());
  Json key = args.is_array() && args.size() == 2 ? args[1] : option(call, "slice_spec");
  if (key.is_null()) key = option(call, "key");
  if (key.is_object() && key.value("class_name", Json()) == Json("__tuple__")) key = key["items"];
  if (!key.is_array()) key = Json::array({key});

  std::size_t named = 0;
  for (const Json& entry : key) named += entry.is_null() || is_ellipsis(entry) ? 0 : 1;
  if (named > call.rank(x)) call.unsupported("the index " + json_excerpt(key));
  Indexing indexing;
  for (const Json& entry : key) {
    if (!is_ellipsis(entry)) {
      take_entry(call, entry, indexing);
      continue;
    }
    for (std::size_t i = named; i < call.rank(x); ++i) take_all(indexing);
    named = call.rank(x);
  }
  while (indexing.begins.size() < call.rank(x)) take_all(indexing);
  const bool whole_batch = indexing.begins[0] == 0 && indexing.ends[0] == kToTheEnd && indexing.steps[0] == 1;
  if (!whole_batch) call.unsupported("an index into the batch " + json_excerpt(key));

  const ValueId part = call.add(
      "slice", {x}, {{"begins", indexing.begins}, {"ends", indexing.ends}, {"steps", indexing.steps}});
  Shape shape;
  for (std::size_t axis = 0; axis <= call.rank(part); ++axis) {
    for (const std::size_t place : indexing.fresh) {
      if (place == axis) shape.push_back(1);
    }
    if (axis < call.rank(part) && !indexing.dropped[axis]) shape.push_back(call.shape(part)[axis]);
  }
  return {shape == call.shape(part) ? part : call.reshape(part, shape)};
}

Values lower_cast(LayerCall& call) {
  const Json dtype = option(call, "dtype");
  std::string name = dtype.is_string() ? dtype.get<std::string>() : "";
  if (name.empty()) call.unsupported("the dtype " + json_excerpt(dtype));
  if (is_floating(dtype_from_string(name, call.where()))) name = "float32";
  return {call.add("cast", {call.input()}, {{"dtype", name}})};
}

}  // namespace

const std::vector<LayerEntry>& operations() {
  static const std::vector<LayerEntry> kOperations = {
      {"Add", lower_add},
      {"Subtract", lower_subtract},
      {"Multiply", lower_multiply},
      {"Divide", lower_divide},
      {"TrueDivide", lower_divide},
      {"Maximum", lower_maximum},
      {"Minimum", lower_minimum},
      {"Power", lower_power},
      {"Matmul", lower_matmul},
      {"Abs", lower_unary<kAbs>},
      {"Absolute", lower_unary<kAbs>},
      {"Ceil", lower_unary<kCeil>},
      {"Cos", lower_unary<kCos>},
      {"Erf", lower_unary<kErf>},
      {"Exp", lower_unary<kExp>},
      {"Floor", lower_unary<kFloor>},
      {"Identity", lower_unary<kIdentity>},
      {"Log", lower_unary<kLog>},
      {"Negative", lower_unary<kNegative>},
      {"Round", lower_unary<kRound>},
      {"Rsqrt", lower_unary<kRsqrt>},
      {"Sign", lower_unary<kSign>},
      {"Sin", lower_unary<kSin>},
      {"Sqrt", lower_unary<kSqrt>},
      {"Square", lower_unary<kSquare>},
      {"Tanh", lower_unary<kTanh>},
      {"Relu", lower_unary<kRelu>},
      {"Relu6", lower_unary<kRelu6>},
      {"Sigmoid", lower_unary<kSigmoid>},
      {"Silu", lower_unary<kSilu>},
      {"HardSilu", lower_unary<kHardSilu>},
      {"Selu", lower_unary<kSelu>},
      {"Softplus", lower_unary<kSoftplus>},
      {"Softsign", lower_unary<kSoftsign>},
      {"HardSigmoid", lower_hard_sigmoid},
      {"LeakyRelu", lower_leaky_relu},
      {"Elu", lower_elu},
      {"Gelu", lower_gelu},
      {"Clip", lower_clip},
      {"Softmax", lower_softmax},
      {"Mean", lower_mean},
      {"Sum", lower_sum},
      {"Max", lower_max},
      {"Min", lower_min},
      {"Concatenate", lower_concatenate},
      {"Transpose", lower_transpose},
      {"Reshape", lower_reshape},
      {"ExpandDims", lower_expand_dims},
      {"Squeeze", lower_squeeze},
      {"GetItem", lower_get_item},
      {"Cast", lower_cast},
  };
  return kOperations;
}

const std::vector<LayerEntry>& tensorflow_functions() {
  static const std::vector<LayerEntry> kFunctions = {
      {"__operators__.add", lower_add},
      {"__operators__.getitem", lower_get_item},
      {"math.add", lower_add},
      {"math.subtract", lower_subtract},
      {"math.multiply", lower_multiply},
      {"math.divide", lower_divide},
      {"math.truediv", lower_divide},
      {"math.maximum", lower_maximum},
      {"math.minimum", lower_minimum},
      {"math.pow", lower_power},
      {"linalg.matmul", lower_matmul},
      {"math.abs", lower_unary<kAbs>},
      {"math.exp", lower_unary<kExp>},
      {"math.log", lower_unary<kLog>},
      {"math.negative", lower_unary<kNegative>},
      {"math.rsqrt", lower_unary<kRsqrt>},
      {"math.sigmoid", lower_unary<kSigmoid>},
      {"math.softplus", lower_unary<kSoftplus>},
      {"math.sqrt", lower_unary<kSqrt>},
      {"math.square", lower_unary<kSquare>},
      {"math.tanh", lower_unary<kTanh>},
      {"nn.relu", lower_unary<kRelu>},
      {"nn.relu6", lower_unary<kRelu6>},
      {"nn.selu", lower_unary<kSelu>},
      {"nn.silu", lower_unary<kSilu>},
      {"nn.elu", lower_elu},
      {"nn.gelu", lower_gelu},
      {"nn.leaky_relu", lower_leaky_relu},
      {"nn.softmax", lower_softmax},
      {"clip_by_value", lower_clip},
      {"math.reduce_mean", lower_mean},
      {"math.reduce_sum", lower_sum},
      {"math.reduce_max", lower_max},
      {"math.reduce_min", lower_min},
      {"concat", lower_concatenate},
      {"transpose", lower_transpose},
      {"reshape", lower_reshape},
      {"expand_dims", lower_expand_dims},
      {"cast", lower_cast},
  };
  return kFunctions;
}

}  // namespace lamina
