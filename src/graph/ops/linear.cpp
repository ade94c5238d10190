// Matrix products and convolutions.
#include "base/error.h"
#include "graph/ops/families.h"
#include "graph/ops/shape_rules.h"

#include <algorithm>

namespace lamina {

namespace {

double count(const TensorType& type) { return static_cast<double>(element_count(type.shape)); }

std::vector<TensorType> matmul_type(const Attributes&, Types inputs) {
  expect_same_dtype(inputs, "matmul");
  expect_rank(inputs[0], 2, 8, "matmul");
  expect_rank(inputs[1], 2, 8, "matmul");
  const Shape& a = inputs[0].shape;
  const Shape& b = inputs[1].shape;
  const std::int64_t inner = a[a.size() - 1];
  if (inner != b[b.size() - 2]) {
    fail(ErrorCode::invalid_argument, "op 'matmul' was given {} and {}: {} columns meet {} rows",
         to_string(a), to_string(b), to_string(Shape{inner}), to_string(Shape{b[b.size() - 2]}));
  }
  Shape result = broadcast({a.begin(), a.end() - 2}, {b.begin(), b.end() - 2});
  result.push_back(a[a.size() - 2]);
  result.push_back(b.back());
  return {{inputs[0].dtype, result}};
}

double matmul_flops(const Attributes&, Types inputs, Types outputs) {
  return 2 * count(outputs[0]) * static_cast<double>(inputs[0].shape.back());
}

struct Windows {
  std::vector<std::int64_t> strides;
  std::vector<std::int64_t> dilations;
};

// Strides and dilations, one for each spatial axis; empty dilations are all 1.
Windows windows_of(const Attributes& attributes, std::size_t spatial, std::string_view op) {
  Windows windows{attributes.integers("strides"), attributes.integers("dilations")};
  if (windows.dilations.empty()) windows.dilations.assign(spatial, 1);
  if (windows.strides.size() != spatial || windows.dilations.size() != spatial) {
    fail(ErrorCode::invalid_argument, "op '{}' has {} strides and {} dilations for {} spatial axes", op,
         windows.strides.size(), windows.dilations.size(), spatial);
  }
  return windows;
}

void expect_kernel(Types inputs, std::string_view op) {
  expect_same_dtype(inputs, op);
  expect_rank(inputs[0], 3, 5, op);
  if (inputs[1].shape.size() != inputs[0].shape.size() || is_symbolic(inputs[1].shape)) {
    fail(ErrorCode::invalid_argument, "op '{}' was given {} with a kernel {}", op, to_string(inputs[0].shape),
         to_string(inputs[1].shape));
  }
}

std::vector<TensorType> conv_type(const Attributes& attributes, Types inputs) {
  expect_kernel(inputs, "conv");
  const Shape& x = inputs[0].shape;
  const Shape& kernel = inputs[1].shape;
  const std::size_t spatial = x.size() - 2;
  const std::int64_t groups = attributes.integer("groups");
  if (groups < 1 || x.back() != checked_product(kernel[spatial], groups) || kernel.back() % groups != 0) {
    fail(ErrorCode::invalid_argument, "op 'conv' with {} groups was given {} with a kernel {}", groups,
         to_string(x), to_string(kernel));
  }
  const Windows windows = windows_of(attributes, spatial, "conv");
  Shape result = {x[0]};
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    result.push_back(window_output(x[axis + 1], kernel[axis], windows.strides[axis], windows.dilations[axis],
                                   attributes.text("padding"), "conv"));
  }
  result.push_back(kernel.back());
  return {{inputs[0].dtype, result}};
}

// Each output element takes one multiply-add for each element of its filter.
double conv_flops(const Attributes&, Types inputs, Types outputs) {
  return 2 * count(outputs[0]) * count(inputs[1]) / static_cast<double>(inputs[1].shape.back());
}

// The size that a convolution of the same settings maps back to the input's: keras.src.backend.common,
// compute_conv_transpose_output_length.
std::int64_t transposed_size(std::int64_t size, std::int64_t window, std::int64_t stride,
                             std::int64_t dilation, const std::string& padding,
                             const std::int64_t* output_padding) {
  if (size < 1 || window < 1 || stride < 1 || dilation < 1) {
    fail(ErrorCode::invalid_argument,
         "op 'conv_transpose' has a size of {}, a window of {}, stride {}, dilation {}", size, window, stride,
         dilation);
  }
  const std::int64_t extent = checked_sum(checked_product(window - 1, dilation), 1);
  std::int64_t result = 0;
  if (output_padding == nullptr) {
    result = checked_product(size, stride);
    if (padding == "valid") result = checked_sum(result, std::max<std::int64_t>(extent - stride, 0));
  } else {
    const std::int64_t pad = padding == "same" ? extent / 2 : 0;
    if (*output_padding < 0 || *output_padding >= stride) {
      fail(ErrorCode::invalid_argument, "op 'conv_transpose' has output padding {} and stride {}",
           *output_padding, stride);
    }
    result = checked_product(size - 1, stride) + extent - 2 * pad + *output_padding;
  }
  if (result < 1) fail(ErrorCode::invalid_argument, "op 'conv_transpose' gives a size of {}", result);
  return result;
}

std::vector<TensorType> conv_transpose_type(const Attributes& attributes, Types inputs) {
  expect_kernel(inputs, "conv_transpose");
  const Shape& x = inputs[0].shape;
  const Shape& kernel = inputs[1].shape;
  const std::size_t spatial = x.size() - 2;
  if (x.back() != kernel.back()) {
    fail(ErrorCode::invalid_argument, "op 'conv_transpose' was given {} with a kernel {}", to_string(x),
         to_string(kernel));
  }
  const Windows windows = windows_of(attributes, spatial, "conv_transpose");
  const auto& output_padding = attributes.integers("output_padding");
  if (!output_padding.empty() && output_padding.size() != spatial) {
    fail(ErrorCode::invalid_argument, "op 'conv_transpose' has {} output paddings for {} spatial axes",
         output_padding.size(), spatial);
  }
  Shape result = {x[0]};
  for (std::size_t axis = 0; axis < spatial; ++axis) {
    result.push_back(transposed_size(x[axis + 1], kernel[axis], windows.strides[axis],
                                     windows.dilations[axis], attributes.text("padding"),
                                     output_padding.empty() ? nullptr : &output_padding[axis]));
  }
  result.push_back(kernel[spatial]);
  return {{inputs[0].dtype, result}};
}

double conv_transpose_flops(const Attributes&, Types inputs, Types) {
  return 2 * count(inputs[0]) * count(inputs[1]) / static_cast<double>(inputs[1].shape.back());
}

}  // namespace

std::span<const OpSpec> linear_ops() {
  const std::vector<std::int64_t> none;
  static const std::vector<OpSpec> kOps = {
      {"matmul", 2, 2, {}, matmul_type, matmul_flops},
      {"conv",
       2,
       2,
       {{"strides", none, true},
        {"dilations", none},
        {"padding", std::string("valid"), false, {"valid", "same"}},
        {"groups", std::int64_t{1}}},
       conv_type,
       conv_flops},
      {"conv_transpose",
       2,
       2,
       {{"strides", none, true},
        {"dilations", none},
        {"padding", std::string("valid"), false, {"valid", "same"}},
        {"output_padding", none}},
       conv_transpose_type,
       conv_transpose_flops},
  };
  return kOps;
}

}  // namespace lamina
