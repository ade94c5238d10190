// The loops that make float32 values narrow and wide again, over bytes at any alignment, little endian.
// Layouts: docs/formats.md. Whoever calls has checked sizes; `out` overlaps nothing.
#pragma once

#include <cstddef>

namespace lamina {

// Values that share a scale and an offset in int8.
constexpr std::size_t kInt8Block = 128;
// Bytes before the codes of a block: scale, offset.
constexpr std::size_t kInt8Header = 2 * sizeof(float);

// Bytes of `count` values in int8.
constexpr std::size_t int8_size(std::size_t count) {
  return count + (count + kInt8Block - 1) / kInt8Block * kInt8Header;
}

// The upper half of float32, rounded to nearest even. What is finite stays finite; NaN stays NaN.
void narrow_to_bf16(const std::byte* values, std::size_t count, std::byte* out);
void widen_bf16(const std::byte* halves, std::size_t count, std::byte* out);

// IEEE 754 binary16, rounded to nearest even. Finite values beyond its range become its greatest, ±65504.
void narrow_to_f16(const std::byte* values, std::size_t count, std::byte* out);
void widen_f16(const std::byte* halves, std::size_t count, std::byte* out);

// False, with `out` worth nothing, where a block holds NaN, infinity or a range beyond float32.
bool narrow_to_int8(const std::byte* values, std::size_t count, std::byte* out);
// False where a scale or an offset is none that narrow_to_int8() makes.
bool widen_int8(const std::byte* blocks, std::size_t count, std::byte* out);

}  // namespace lamina
