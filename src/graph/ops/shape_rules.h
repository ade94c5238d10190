// What several shape rules share. All throw Error(invalid_argument) that says which sizes don't fit.
#pragma once

#include "graph/op.h"

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

using Types = std::span<const TensorType>;

// Sizes multiplied or added without overflow. A product of two symbolic sizes has no symbolic form and is
// refused.
std::int64_t checked_product(std::int64_t a, std::int64_t b);
std::int64_t checked_sum(std::int64_t a, std::int64_t b);

// NumPy's broadcasting; a symbolic size goes with itself and with 1.
Shape broadcast(const Shape& a, const Shape& b);

// An axis counted from the end as one counted from the start.
std::size_t normalize_axis(std::int64_t axis, std::size_t rank, std::string_view op);
// The same for several that must differ.
std::vector<std::size_t> normalize_axes(const std::vector<std::int64_t>& axes, std::size_t rank,
                                        std::string_view op);

void expect_same_dtype(Types inputs, std::string_view op);
void expect_rank(const TensorType& type, std::size_t min, std::size_t max, std::string_view op);

// Elements of all outputs together, for costs of one operation an element.
double output_elements(const Attributes& attributes, Types inputs, Types outputs);
double no_flops(const Attributes& attributes, Types inputs, Types outputs);

// The size of one spatial axis after a window passes over it (Keras's "valid" and "same").
std::int64_t window_output(std::int64_t size, std::int64_t window, std::int64_t stride, std::int64_t dilation,
                           const std::string& padding, std::string_view op);

}  // namespace lamina
