// Element types and shapes, concrete and symbolic.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

enum class DType : std::uint8_t { f64, f32, f16, bf16, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

// Bytes of one element.
std::size_t size_of(DType dtype);
// Keras's names: "float32", "bfloat16", "int64", "uint8", "bool", …
std::string_view to_string(DType dtype);
// The inverse; throws Error(unsupported) that names `where`.
DType dtype_from_string(std::string_view name, std::string_view where);
bool is_floating(DType dtype);

// Sizes of axes. Of a Tensor all are at least zero. Of a TensorType in a Graph a size may be symbolic:
// the negative size -k stands for k times the batch size, so -1 is the batch itself.
using Shape = std::vector<std::int64_t>;

constexpr std::int64_t kBatch = -1;

// "(batch, 224, 224, 3)"; -3 is written "3·batch".
std::string to_string(const Shape& shape);
bool is_symbolic(const Shape& shape);
// The shape at a batch size of `batch` ≥ 1.
Shape at_batch(const Shape& shape, std::int64_t batch);
// The number of elements; throws Error(invalid_argument) for a symbolic shape or when it overflows 2^62.
std::int64_t element_count(const Shape& shape);

struct TensorType {
  DType dtype = DType::f32;
  Shape shape;
  bool operator==(const TensorType&) const = default;
};

// "float32 (batch, 224, 224, 3)"
std::string to_string(const TensorType& type);
// Bytes at the given batch size.
std::uint64_t byte_size(const TensorType& type, std::int64_t batch);

}  // namespace lamina
