#include "graph/convert.h"

#include "base/error.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <type_traits>
#include <utility>

namespace lamina {

namespace {

// Element types that C++20 has no name for: bytes that convert from and to float.
struct Half {
  std::uint16_t bits;
};
struct BFloat16 {
  std::uint16_t bits;
};
struct Boolean {
  std::uint8_t bits;
};

// IEEE 754 binary16.
float widen(Half half) {
  const std::uint32_t sign = static_cast<std::uint32_t>(half.bits & 0x8000U) << 16U;
  const std::uint32_t exponent = (half.bits >> 10U) & 0x1FU;
  const std::uint32_t mantissa = half.bits & 0x3FFU;
  if (exponent == 0) {
    const float magnitude = std::ldexp(static_cast<float>(mantissa), -24);
    return sign != 0 ? -magnitude : magnitude;
  }
  const std::uint32_t wide = exponent == 31 ? 255 : exponent + 112;
  return std::bit_cast<float>(sign | (wide << 23U) | (mantissa << 13U));
}

Half narrow_to_half(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  const auto sign = static_cast<std::uint16_t>((bits >> 16U) & 0x8000U);
  if (std::isnan(value)) return {static_cast<std::uint16_t>(sign | 0x7E00U)};
  const float magnitude = std::fabs(value);
  if (magnitude >= 65520.0F) return {static_cast<std::uint16_t>(sign | 0x7C00U)};
  if (magnitude < 6.103515625e-05F) {  // below the smallest normal number
    return {static_cast<std::uint16_t>(
        sign | static_cast<std::uint16_t>(std::nearbyint(std::ldexp(magnitude, 24))))};
  }
  std::uint32_t rounded = bits & 0x7FFFFFFFU;
  rounded += 0xFFFU + ((rounded >> 13U) & 1U);
  return {static_cast<std::uint16_t>(sign | ((rounded - 0x38000000U) >> 13U))};
}

BFloat16 narrow_to_bfloat16(float value) {
  auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return {static_cast<std::uint16_t>((bits >> 16U) | 0x40U)};
  bits += 0x7FFFU + ((bits >> 16U) & 1U);
  return {static_cast<std::uint16_t>(bits >> 16U)};
}

template <typename To, typename From>
To convert_element(From value) {
  if constexpr (std::is_same_v<From, Half>) {
    return convert_element<To>(widen(value));
  } else if constexpr (std::is_same_v<From, BFloat16>) {
    return convert_element<To>(std::bit_cast<float>(static_cast<std::uint32_t>(value.bits) << 16U));
  } else if constexpr (std::is_same_v<From, Boolean>) {
    return convert_element<To>(static_cast<std::uint8_t>(value.bits != 0));
  } else if constexpr (std::is_same_v<To, Half>) {
    return narrow_to_half(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, BFloat16>) {
    return narrow_to_bfloat16(static_cast<float>(value));
  } else if constexpr (std::is_same_v<To, Boolean>) {
    return {static_cast<std::uint8_t>(value != From{0})};
  } else if constexpr (std::is_floating_point_v<To>) {
    return static_cast<To>(value);
  } else if constexpr (std::is_floating_point_v<From>) {
    // Both bounds are exact in a floating type: a power of two, and one past the greatest integer.
    const From lowest = static_cast<From>(std::numeric_limits<To>::min());
    const From end = std::ldexp(From{1}, std::numeric_limits<To>::digits);
    const From whole = std::trunc(value);
    if (!(whole >= lowest && whole < end)) {
      fail(ErrorCode::invalid_argument, "the value {} does not fit an integer of {} bits", value,
           sizeof(To) * 8);
    }
    return static_cast<To>(whole);
  } else {
    if (!std::in_range<To>(value)) {
      fail(ErrorCode::invalid_argument, "the value {} does not fit an integer of {} bits", value,
           sizeof(To) * 8);
    }
    return static_cast<To>(value);
  }
}

// Calls `use` with a value of the C++ type of `dtype`.
template <typename Use>
void with_element_type(DType dtype, Use use) {
  switch (dtype) {
    case DType::f64:
      return use(double{});
    case DType::f32:
      return use(float{});
    case DType::f16:
      return use(Half{});
    case DType::bf16:
      return use(BFloat16{});
    case DType::i64:
      return use(std::int64_t{});
    case DType::i32:
      return use(std::int32_t{});
    case DType::i16:
      return use(std::int16_t{});
    case DType::i8:
      return use(std::int8_t{});
    case DType::u64:
      return use(std::uint64_t{});
    case DType::u32:
      return use(std::uint32_t{});
    case DType::u16:
      return use(std::uint16_t{});
    case DType::u8:
      return use(std::uint8_t{});
    case DType::boolean:
      return use(Boolean{});
  }
}

}  // namespace

Tensor convert(const Tensor& tensor, DType dtype) {
  if (tensor.dtype() == dtype) return tensor;
  const auto count = static_cast<std::size_t>(tensor.elements());
  const TensorType type{dtype, tensor.shape()};
  const std::size_t size = byte_size(type, 1);
  auto block = allocate_bytes(size);
  with_element_type(tensor.dtype(), [&](auto from) {
    with_element_type(dtype, [&](auto to) {
      for (std::size_t i = 0; i < count; ++i) {
        // Copies instead of casts: the bytes may lie at any alignment.
        std::memcpy(&from, tensor.data().data() + i * sizeof(from), sizeof(from));
        to = convert_element<decltype(to)>(from);
        std::memcpy(block.get() + i * sizeof(to), &to, sizeof(to));
      }
    });
  });
  return {type, Buffer::take(std::move(block), size)};
}

}  // namespace lamina
