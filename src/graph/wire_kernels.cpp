#include "graph/wire_kernels.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

// A loop compiled for several generations of processors, of which the one that runs picks at start: the build
// is for any x86-64, and AVX-512 is up to seven times as fast. ThreadSanitizer can't run what picks.
#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(__SANITIZE_THREAD__)
#define LAMINA_EVERY_PROCESSOR [[gnu::target_clones("default", "arch=x86-64-v3", "arch=x86-64-v4")]]
#else
#define LAMINA_EVERY_PROCESSOR
#endif

namespace lamina {

namespace {

constexpr std::uint32_t kSign = 0x80000000U;
constexpr std::uint32_t kInfinity = 0x7F800000U;
// Smaller ranges count as constant: 255 over them would be infinite.
constexpr float kLeastRange = 255 * std::numeric_limits<float>::min();

template <typename T>
T load(const std::byte* bytes, std::size_t index = 0) {
  T value;
  std::memcpy(&value, bytes + index * sizeof(T), sizeof(T));
  return value;
}

template <typename T>
void store(std::byte* bytes, std::size_t index, T value) {
  std::memcpy(bytes + index * sizeof(T), &value, sizeof(T));
}

// Both values are computed: GCC makes no vectors of loops that branch around floating point.
std::uint32_t select(bool first, std::uint32_t a, std::uint32_t b) {
  const std::uint32_t mask = 0U - static_cast<std::uint32_t>(first);
  return (a & mask) | (b & ~mask);
}

// Bits of a float as an integer that orders as the number does, NaN outside of the infinities; its own
// inverse. Integers, since the least of floats makes vectors only where NaN may be ignored.
std::int32_t ordered(std::uint32_t bits) {
  return static_cast<std::int32_t>((bits & kSign) != 0 ? bits ^ ~kSign : bits);
}

}  // namespace

LAMINA_EVERY_PROCESSOR
void narrow_to_bf16(const std::byte* __restrict values, std::size_t count, std::byte* __restrict out) {
  constexpr std::uint32_t kGreatest = 0x7F7FFFFFU;
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load<std::uint32_t>(values, i);
    const std::uint32_t magnitude = bits & ~kSign;
    const std::uint32_t rounded = std::min(magnitude + 0x7FFFU + ((magnitude >> 16U) & 1U), kGreatest);
    // A quiet NaN, whatever was in the half that goes.
    const std::uint32_t special = select(magnitude > kInfinity, magnitude | 0x400000U, kInfinity);
    const std::uint32_t narrow = select(magnitude < kInfinity, rounded, special) | (bits & kSign);
    store(out, i, static_cast<std::uint16_t>(narrow >> 16U));
  }
}

LAMINA_EVERY_PROCESSOR
void widen_bf16(const std::byte* __restrict halves, std::size_t count, std::byte* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    store(out, i, static_cast<std::uint32_t>(load<std::uint16_t>(halves, i)) << 16U);
  }
}

LAMINA_EVERY_PROCESSOR
void narrow_to_f16(const std::byte* __restrict values, std::size_t count, std::byte* __restrict out) {
  constexpr std::uint32_t kLeastNormal = 0x38800000U;  // 2^-14
  constexpr std::uint32_t kRebias = 0x38000000U;       // exponents count from -127 there, from -15 here
  for (std::size_t i = 0; i < count; ++i) {
    const auto bits = load<std::uint32_t>(values, i);
    const std::uint32_t magnitude = bits & ~kSign;
    const std::uint32_t rounded = magnitude + 0xFFFU + ((magnitude >> 13U) & 1U);
    const std::uint32_t normal = std::min((rounded - kRebias) >> 13U, 0x7BFFU);
    // The last bit of 0.5 and a bit more is 2^-24, that of subnormal numbers: adding it rounds.
    const std::uint32_t subnormal = std::bit_cast<std::uint32_t>(std::bit_cast<float>(magnitude) + 0.5F) -
                                    std::bit_cast<std::uint32_t>(0.5F);
    const std::uint32_t finite = select(magnitude < kLeastNormal, subnormal, normal);
    const std::uint32_t special = select(magnitude > kInfinity, 0x7E00U, 0x7C00U);
    const std::uint32_t narrow = select(magnitude < kInfinity, finite, special) | ((bits & kSign) >> 16U);
    store(out, i, static_cast<std::uint16_t>(narrow));
  }
}

LAMINA_EVERY_PROCESSOR
void widen_f16(const std::byte* __restrict halves, std::size_t count, std::byte* __restrict out) {
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint32_t bits = load<std::uint16_t>(halves, i);
    const std::uint32_t magnitude = bits & 0x7FFFU;
    const std::uint32_t normal = (magnitude << 13U) + 0x38000000U;
    const std::uint32_t special = (magnitude << 13U) + 0x70000000U;
    const auto subnormal =
        std::bit_cast<std::uint32_t>(static_cast<float>(static_cast<std::int32_t>(magnitude)) * 0x1p-24F);
    const std::uint32_t finite = select(magnitude < 0x400U, subnormal, normal);
    store(out, i, select(magnitude < 0x7C00U, finite, special) | ((bits & 0x8000U) << 16U));
  }
}

LAMINA_EVERY_PROCESSOR
bool narrow_to_int8(const std::byte* __restrict values, std::size_t count, std::byte* __restrict out) {
  for (std::size_t begin = 0; begin < count; begin += kInt8Block) {
    const std::size_t size = std::min(kInt8Block, count - begin);
    const std::byte* block = values + begin * sizeof(float);
    std::int32_t least = std::numeric_limits<std::int32_t>::max();
    std::int32_t greatest = std::numeric_limits<std::int32_t>::min();
    for (std::size_t i = 0; i < size; ++i) {
      const std::int32_t value = ordered(load<std::uint32_t>(block, i));
      least = std::min(least, value);
      greatest = std::max(greatest, value);
    }
    const auto offset = std::bit_cast<float>(ordered(static_cast<std::uint32_t>(least)));
    const float range = std::bit_cast<float>(ordered(static_cast<std::uint32_t>(greatest))) - offset;
    const bool constant = range < kLeastRange;
    const float scale = constant ? 0.0F : range / 255;
    if (!std::isfinite(offset + scale * 255)) return false;  // so it is with NaN and infinity too
    store(out, 0, scale);
    store(out, 1, offset);
    out += kInt8Header;
    const float codes_each = constant ? 0.0F : 255 / range;
    for (std::size_t i = 0; i < size; ++i) {
      const float code = (load<float>(block, i) - offset) * codes_each + 0.5F;  // below 256
      store(out, i, static_cast<std::uint8_t>(static_cast<std::int32_t>(code)));
    }
    out += size;
  }
  return true;
}

LAMINA_EVERY_PROCESSOR
bool widen_int8(const std::byte* __restrict blocks, std::size_t count, std::byte* __restrict out) {
  for (std::size_t begin = 0; begin < count; begin += kInt8Block) {
    const std::size_t size = std::min(kInt8Block, count - begin);
    const auto scale = load<float>(blocks, 0);
    const auto offset = load<float>(blocks, 1);
    if (!std::isfinite(scale) || !std::isfinite(offset) || scale < 0) return false;
    blocks += kInt8Header;
    for (std::size_t i = 0; i < size; ++i) {
      store(out, begin + i, offset + scale * static_cast<float>(load<std::uint8_t>(blocks, i)));
    }
    blocks += size;
  }
  return true;
}

}  // namespace lamina
