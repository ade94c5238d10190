#include "graph/types.h"

#include "base/error.h"

#include <array>
#include <utility>

namespace lamina {

namespace {

constexpr std::array<std::pair<DType, std::string_view>, 13> kNames = {{
    {DType::f64, "float64"},
    {DType::f32, "float32"},
    {DType::f16, "float16"},
    {DType::bf16, "bfloat16"},
    {DType::i64, "int64"},
    {DType::i32, "int32"},
    {DType::i16, "int16"},
    {DType::i8, "int8"},
    {DType::u64, "uint64"},
    {DType::u32, "uint32"},
    {DType::u16, "uint16"},
    {DType::u8, "uint8"},
    {DType::boolean, "bool"},
}};

constexpr std::int64_t kMaxElements = std::int64_t{1} << 62;

}  // namespace

std::size_t size_of(DType dtype) {
  switch (dtype) {
    case DType::f64:
    case DType::i64:
    case DType::u64:
      return 8;
    case DType::f32:
    case DType::i32:
    case DType::u32:
      return 4;
    case DType::f16:
    case DType::bf16:
    case DType::i16:
    case DType::u16:
      return 2;
    case DType::i8:
    case DType::u8:
    case DType::boolean:
      return 1;
  }
  fail(ErrorCode::internal, "dtype {} is not one of this program's", static_cast<int>(dtype));
}

std::string_view to_string(DType dtype) {
  for (const auto& [candidate, name] : kNames) {
    if (candidate == dtype) return name;
  }
  fail(ErrorCode::internal, "dtype {} is not one of this program's", static_cast<int>(dtype));
}

DType dtype_from_string(std::string_view name, std::string_view where) {
  for (const auto& [dtype, candidate] : kNames) {
    if (candidate == name) return dtype;
  }
  fail(ErrorCode::unsupported, "{}: dtype '{}' is not known, expected one such as float32 or int64", where,
       name);
}

bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

std::string to_string(const Shape& shape) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    if (axis > 0) text += ", ";
    const std::int64_t size = shape[axis];
    if (size == kBatch) {
      text += "batch";
    } else if (size < 0) {
      // Unsigned negation: the smallest integer has no positive twin.
      text += fmt::format("{}·batch", 0 - static_cast<std::uint64_t>(size));
    } else {
      text += std::to_string(size);
    }
  }
  return text + (shape.size() == 1 ? ",)" : ")");
}

bool is_symbolic(const Shape& shape) {
  for (const std::int64_t size : shape) {
    if (size < 0) return true;
  }
  return false;
}

Shape at_batch(const Shape& shape, std::int64_t batch) {
  Shape concrete = shape;
  for (std::int64_t& size : concrete) {
    if (size >= 0) continue;
    std::int64_t product = 0;
    if (size == INT64_MIN || __builtin_mul_overflow(-size, batch, &product)) {
      fail(ErrorCode::invalid_argument, "shape {} overflows at a batch of {}", to_string(shape), batch);
    }
    size = product;
  }
  return concrete;
}

std::int64_t element_count(const Shape& shape) {
  std::int64_t count = 1;
  bool empty = false;
  for (const std::int64_t size : shape) {
    if (size < 0) {
      fail(ErrorCode::invalid_argument, "shape {} has no number of elements before the batch size is known",
           to_string(shape));
    }
    if (size == 0) empty = true;
    // Zero sizes are left out of the product so that a shape such as (0, 2^62, 2^62) is refused as well.
    if (size > 0 && (__builtin_mul_overflow(count, size, &count) || count > kMaxElements)) {
      fail(ErrorCode::invalid_argument, "shape {} has too many elements, expected at most 2^62",
           to_string(shape));
    }
  }
  return empty ? 0 : count;
}

std::string to_string(const TensorType& type) {
  return std::string(to_string(type.dtype)) + " " + to_string(type.shape);
}

std::uint64_t byte_size(const TensorType& type, std::int64_t batch) {
  const auto elements = static_cast<std::uint64_t>(element_count(at_batch(type.shape, batch)));
  std::uint64_t bytes = 0;
  if (__builtin_mul_overflow(elements, size_of(type.dtype), &bytes) || bytes > (std::uint64_t{1} << 62)) {
    fail(ErrorCode::invalid_argument, "{} is larger than 2^62 bytes", to_string(type));
  }
  return bytes;
}

}  // namespace lamina
