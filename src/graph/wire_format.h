// Tensors in fewer bytes, for the way between two processes.
//
// Only float32 is made narrow; other element types travel as they are. The bytes of each format are described
// in docs/formats.md. All functions are thread-safe.
#pragma once

#include "graph/tensor.h"

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lamina {

enum class WireFormat : std::uint8_t {
  f32,   // as it is
  bf16,  // two bytes: 8 bits of mantissa, the range of float32
  f16,   // two bytes: 11 bits of mantissa, up to ±65504
  int8,  // a byte, and a scale and an offset for each block of 128 values
  lz4,   // compressed without loss
};

// "f32", "bf16", "f16", "int8", "lz4".
std::string_view to_string(WireFormat format);
// The inverse; Error(invalid_argument) for another text, naming `where` and all formats.
WireFormat wire_format_from_string(std::string_view name, std::string_view where);

// A tensor as it travels.
struct WireTensor {
  TensorType type;  // what it is once wide, not symbolic
  WireFormat format = WireFormat::f32;
  Buffer bytes;
};

// In `format`, or as it is (f32) where that can't be or saves nothing: other dtypes, in int8 tensors with NaN
// or infinity or blocks that range beyond float32, in lz4 tensors that don't get smaller. Values that travel
// as they are share the tensor's bytes. bf16 and f16 round to nearest even and keep what is finite finite;
// int8 is off by half of 1/255 of its block's range.
WireTensor narrow(const Tensor& tensor, WireFormat format);
std::vector<WireTensor> narrow(std::span<const Tensor> tensors, WireFormat format);

// The tensor again. Error(corrupt) for bytes that narrow() does not make.
Tensor widen(const WireTensor& tensor);
std::vector<Tensor> widen(std::span<const WireTensor> tensors);

// Error(corrupt) where `size` bytes can't be a tensor of this type in this format, before memory is taken for
// either. Error(invalid_argument) for a type whose size overflows.
void check_wire_size(const TensorType& type, WireFormat format, std::uint64_t size);

}  // namespace lamina
