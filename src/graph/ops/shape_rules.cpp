#include "graph/ops/shape_rules.h"

#include "base/error.h"

#include <algorithm>

namespace lamina {

std::int64_t checked_product(std::int64_t a, std::int64_t b) {
  std::int64_t product = 0;
  if ((a < 0 && b < 0) || __builtin_mul_overflow(a, b, &product)) {
    fail(ErrorCode::invalid_argument, "sizes {} and {} can't be multiplied", a, b);
  }
  return product;
}

std::int64_t checked_sum(std::int64_t a, std::int64_t b) {
  std::int64_t sum = 0;
  // A symbolic and a static size have no sum of one form.
  if ((a < 0) != (b < 0) && a != 0 && b != 0) {
    fail(ErrorCode::invalid_argument, "sizes {} and {} can't be added", to_string(Shape{a}),
         to_string(Shape{b}));
  }
  if (__builtin_add_overflow(a, b, &sum)) fail(ErrorCode::invalid_argument, "sizes {} and {} overflow", a, b);
  return sum;
}

Shape broadcast(const Shape& a, const Shape& b) {
  Shape result(std::max(a.size(), b.size()), 1);
  for (std::size_t back = 1; back <= result.size(); ++back) {
    const std::int64_t left = back <= a.size() ? a[a.size() - back] : 1;
    const std::int64_t right = back <= b.size() ? b[b.size() - back] : 1;
    if (left != right && left != 1 && right != 1) {
      fail(ErrorCode::invalid_argument, "shapes {} and {} don't go together", to_string(a), to_string(b));
    }
    result[result.size() - back] = left == 1 ? right : left;
  }
  return result;
}

std::size_t normalize_axis(std::int64_t axis, std::size_t rank, std::string_view op) {
  const auto signed_rank = static_cast<std::int64_t>(rank);
  if (axis < -signed_rank || axis >= signed_rank) {
    fail(ErrorCode::invalid_argument, "op '{}' was given axis {} of a tensor with {} axes", op, axis, rank);
  }
  return static_cast<std::size_t>(axis < 0 ? axis + signed_rank : axis);
}

std::vector<std::size_t> normalize_axes(const std::vector<std::int64_t>& axes, std::size_t rank,
                                        std::string_view op) {
  std::vector<std::size_t> normal;
  for (const std::int64_t axis : axes) {
    normal.push_back(normalize_axis(axis, rank, op));
    if (std::count(normal.begin(), normal.end(), normal.back()) > 1) {
      fail(ErrorCode::invalid_argument, "op '{}' was given axis {} twice", op, axis);
    }
  }
  return normal;
}

void expect_same_dtype(Types inputs, std::string_view op) {
  for (const TensorType& input : inputs) {
    if (input.dtype != inputs[0].dtype) {
      fail(ErrorCode::invalid_argument, "op '{}' was given {} and {}, expected one dtype", op,
           to_string(inputs[0].dtype), to_string(input.dtype));
    }
  }
}

void expect_rank(const TensorType& type, std::size_t min, std::size_t max, std::string_view op) {
  if (type.shape.size() < min || type.shape.size() > max) {
    fail(ErrorCode::invalid_argument, "op '{}' was given {} with {} axes, expected {} to {}", op,
         to_string(type), type.shape.size(), min, max);
  }
}

double output_elements(const Attributes&, Types, Types outputs) {
  double elements = 0;
  for (const TensorType& output : outputs) elements += static_cast<double>(element_count(output.shape));
  return elements;
}

double no_flops(const Attributes&, Types, Types) { return 0; }

std::int64_t window_output(std::int64_t size, std::int64_t window, std::int64_t stride, std::int64_t dilation,
                           const std::string& padding, std::string_view op) {
  if (window < 1 || stride < 1 || dilation < 1) {
    fail(ErrorCode::invalid_argument,
         "op '{}' has a window of {}, stride {}, dilation {}, expected at least 1", op, window, stride,
         dilation);
  }
  if (size < 0) fail(ErrorCode::invalid_argument, "op '{}' passes a window over the batch axis", op);
  const std::int64_t extent = checked_sum(checked_product(window - 1, dilation), 1);
  const std::int64_t places = padding == "same" ? size : size - extent + 1;
  if (places < 1) {
    fail(ErrorCode::invalid_argument, "op '{}' has a window of {} over a size of {}, expected it to fit", op,
         extent, size);
  }
  return (places - 1) / stride + 1;
}

}  // namespace lamina
