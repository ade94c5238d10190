// Ops that move elements without computing.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

#include <algorithm>

namespace lamina {

namespace {

// A number of elements as coefficient × batch^power.
struct SymbolicCount {
  std::int64_t coefficient = 1;
  int power = 0;
  bool operator==(const SymbolicCount&) const = default;
};

SymbolicCount symbolic_count(const Shape& shape) {
  SymbolicCount count;
  for (const std::int64_t size : shape) {
    if (size == INT64_MIN) fail(ErrorCode::invalid_argument, "a size of {} overflows", size);
    count.coefficient = checked_product(count.coefficient, size < 0 ? -size : size);
    if (size < 0) ++count.power;
  }
  return count;
}

std::vector<TensorType> reshape_type(const Attributes& attributes, Types inputs) {
  const Shape& shape = attributes.integers("shape");
  if (symbolic_count(shape) != symbolic_count(inputs[0].shape)) {
    fail(ErrorCode::invalid_argument, "op 'reshape' turns {} into {}, which has another number of elements",
         to_string(inputs[0].shape), to_string(shape));
  }
  return {{inputs[0].dtype, shape}};
}

std::vector<TensorType> transpose_type(const Attributes& attributes, Types inputs) {
  const Shape& x = inputs[0].shape;
  const std::vector<std::size_t> axes = normalize_axes(attributes.integers("axes"), x.size(), "transpose");
  if (axes.size() != x.size()) {
    fail(ErrorCode::invalid_argument, "op 'transpose' has {} axes for {}", axes.size(), to_string(x));
  }
  Shape result;
  for (const std::size_t axis : axes) result.push_back(x[axis]);
  return {{inputs[0].dtype, result}};
}

std::vector<TensorType> concatenate_type(const Attributes& attributes, Types inputs) {
  expect_same_dtype(inputs, "concatenate");
  Shape result = inputs[0].shape;
  const std::size_t axis = normalize_axis(attributes.integer("axis"), result.size(), "concatenate");
  for (const TensorType& input : inputs.subspan(1)) {
    Shape same = input.shape;
    if (same.size() == result.size()) same[axis] = result[axis];
    if (same != result) {
      fail(ErrorCode::invalid_argument, "op 'concatenate' on axis {} was given {} and {}", axis,
           to_string(inputs[0].shape), to_string(input.shape));
    }
    result[axis] = checked_sum(result[axis], input.shape[axis]);
  }
  return {{inputs[0].dtype, result}};
}

// Python's slices: negative ends count from the end, ends outside are moved to it.
std::int64_t sliced_size(std::int64_t size, std::int64_t begin, std::int64_t end, std::int64_t step) {
  const bool everything = begin == 0 && end == INT64_MAX && step == 1;
  if (everything) return size;
  if (size < 0) {
    fail(ErrorCode::invalid_argument, "op 'slice' cuts [{}:{}:{}] from the batch axis, expected all of it",
         begin, end, step);
  }
  if (step < 1) fail(ErrorCode::invalid_argument, "op 'slice' has a step of {}, expected at least 1", step);
  const auto clamp = [size](std::int64_t position) {
    return std::clamp<std::int64_t>(position < 0 ? position + size : position, 0, size);
  };
  const std::int64_t first = clamp(begin);
  const std::int64_t last = clamp(end);
  return last > first ? (last - first - 1) / step + 1 : 0;
}

std::vector<TensorType> slice_type(const Attributes& attributes, Types inputs) {
  const Shape& x = inputs[0].shape;
  const auto& begins = attributes.integers("begins");
  const auto& ends = attributes.integers("ends");
  const auto& steps = attributes.integers("steps");
  if (begins.size() != x.size() || ends.size() != x.size() || steps.size() != x.size()) {
    fail(ErrorCode::invalid_argument, "op 'slice' has {} begins, {} ends and {} steps for {}", begins.size(),
         ends.size(), steps.size(), to_string(x));
  }
  Shape result;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    result.push_back(sliced_size(x[axis], begins[axis], ends[axis], steps[axis]));
  }
  return {{inputs[0].dtype, result}};
}

std::vector<TensorType> pad_type(const Attributes& attributes, Types inputs) {
  const Shape& x = inputs[0].shape;
  const auto& before = attributes.integers("before");
  const auto& after = attributes.integers("after");
  if (before.size() != x.size() || after.size() != x.size()) {
    fail(ErrorCode::invalid_argument, "op 'pad' has {} and {} sizes for {}", before.size(), after.size(),
         to_string(x));
  }
  const std::string& mode = attributes.text("mode");
  Shape result;
  for (std::size_t axis = 0; axis < x.size(); ++axis) {
    const std::int64_t most = mode == "constant" ? INT64_MAX : mode == "reflect" ? x[axis] - 1 : x[axis];
    const bool padded = before[axis] != 0 || after[axis] != 0;
    if (before[axis] < 0 || after[axis] < 0 || (padded && (before[axis] > most || after[axis] > most))) {
      fail(ErrorCode::invalid_argument, "op 'pad' ({}) adds {} and {} to axis {} of {}", mode, before[axis],
           after[axis], axis, to_string(x));
    }
    result.push_back(padded ? checked_sum(checked_sum(x[axis], before[axis]), after[axis]) : x[axis]);
  }
  return {{inputs[0].dtype, result}};
}

std::vector<TensorType> resize_type(const Attributes& attributes, Types inputs) {
  expect_rank(inputs[0], 4, 4, "resize");
  const auto& size = attributes.integers("size");
  if (size.size() != 2 || size[0] < 1 || size[1] < 1) {
    fail(ErrorCode::invalid_argument, "op 'resize' has {} sizes, expected a height and a width of at least 1",
         size.size());
  }
  const Shape& x = inputs[0].shape;
  return {{inputs[0].dtype, {x[0], size[0], size[1], x[3]}}};
}

double resize_flops(const Attributes& attributes, Types inputs, Types outputs) {
  return attributes.text("method") == "bilinear" ? 7 * output_elements(attributes, inputs, outputs) : 0;
}

}  // namespace

std::span<const OpSpec> movement_ops() {
  const std::vector<std::int64_t> none;
  static const std::vector<OpSpec> kOps = {
      {"reshape", 1, 1, {{"shape", none, true}}, reshape_type, no_flops},
      {"transpose", 1, 1, {{"axes", none, true}}, transpose_type, no_flops},
      {"concatenate", 1, -1, {{"axis", std::int64_t{-1}}}, concatenate_type, no_flops},
      {"slice",
       1,
       1,
       {{"begins", none, true}, {"ends", none, true}, {"steps", none, true}},
       slice_type,
       no_flops},
      {"pad",
       1,
       1,
       {{"before", none, true},
        {"after", none, true},
        {"mode", std::string("constant"), false, {"constant", "reflect", "symmetric"}},
        {"value", 0.0}},
       pad_type,
       no_flops},
      {"resize",
       1,
       1,
       {{"size", none, true}, {"method", std::string("nearest"), false, {"nearest", "bilinear"}}},
       resize_type,
       resize_flops},
  };
  return kOps;
}

}  // namespace lamina
