#include "graph/wire_format.h"

#include "base/error.h"
#include "graph/wire_kernels.h"

#include <array>
#include <memory>
#include <optional>
#include <utility>

#include <lz4.h>

namespace lamina {

namespace {

constexpr std::array<std::pair<WireFormat, std::string_view>, 5> kNames = {{
    {WireFormat::f32, "f32"},
    {WireFormat::bf16, "bf16"},
    {WireFormat::f16, "f16"},
    {WireFormat::int8, "int8"},
    {WireFormat::lz4, "lz4"},
}};

// No byte of an LZ4 block stands for more than so many bytes.
constexpr std::uint64_t kMostLz4Ratio = 255;

// Bytes of `count` values; of lz4, which says so only once it is done, one byte less than they have.
std::size_t capacity(WireFormat format, std::size_t count) {
  switch (format) {
    case WireFormat::bf16:
    case WireFormat::f16:
      return count * 2;
    case WireFormat::int8:
      return int8_size(count);
    case WireFormat::lz4:
      return count * sizeof(float) - 1;
    case WireFormat::f32:
      break;
  }
  return count * sizeof(float);
}

// The size that came out; nothing where the values don't fit the format.
std::optional<std::size_t> encode(const Buffer& values, WireFormat format, std::byte* out, std::size_t size) {
  const std::size_t count = values.size() / sizeof(float);
  switch (format) {
    case WireFormat::bf16:
      narrow_to_bf16(values.data(), count, out);
      return size;
    case WireFormat::f16:
      narrow_to_f16(values.data(), count, out);
      return size;
    case WireFormat::int8:
      if (!narrow_to_int8(values.data(), count, out)) return std::nullopt;
      return size;
    case WireFormat::lz4: {
      if (values.size() > LZ4_MAX_INPUT_SIZE) return std::nullopt;
      const int made =
          LZ4_compress_default(reinterpret_cast<const char*>(values.data()), reinterpret_cast<char*>(out),
                               static_cast<int>(values.size()), static_cast<int>(size));
      if (made <= 0) return std::nullopt;
      return static_cast<std::size_t>(made);
    }
    case WireFormat::f32:
      break;
  }
  return std::nullopt;
}

bool decode(const Buffer& bytes, WireFormat format, std::byte* out, std::size_t count) {
  switch (format) {
    case WireFormat::bf16:
      widen_bf16(bytes.data(), count, out);
      return true;
    case WireFormat::f16:
      widen_f16(bytes.data(), count, out);
      return true;
    case WireFormat::int8:
      return widen_int8(bytes.data(), count, out);
    case WireFormat::lz4: {
      const int size = static_cast<int>(count * sizeof(float));
      return LZ4_decompress_safe(reinterpret_cast<const char*>(bytes.data()), reinterpret_cast<char*>(out),
                                 static_cast<int>(bytes.size()), size) == size;
    }
    case WireFormat::f32:
      break;
  }
  return false;
}

}  // namespace

std::string_view to_string(WireFormat format) { return kNames.at(static_cast<std::size_t>(format)).second; }

WireFormat wire_format_from_string(std::string_view name, std::string_view where) {
  std::string known;
  for (const auto& [format, text] : kNames) {
    if (text == name) return format;
    known += known.empty() ? "" : ", ";
    known += text;
  }
  fail(ErrorCode::invalid_argument, "{}: wire format '{}', expected one of {}", where, name, known);
}

void check_wire_size(const TensorType& type, WireFormat format, std::uint64_t size) {
  const std::uint64_t wide = byte_size(type, 1);
  bool possible = size == wide && !is_symbolic(type.shape);
  if (format != WireFormat::f32) {
    possible = !is_symbolic(type.shape) && type.dtype == DType::f32 && size < wide;
    if (format == WireFormat::lz4) {
      possible = possible && wide <= LZ4_MAX_INPUT_SIZE && wide / kMostLz4Ratio <= size;
    } else {
      possible = possible && size == capacity(format, wide / sizeof(float));
    }
  }
  if (!possible) {
    fail(ErrorCode::corrupt, "a tensor {} of {} bytes in wire format {}", to_string(type), size,
         to_string(format));
  }
}

WireTensor narrow(const Tensor& tensor, WireFormat format) {
  WireTensor as_it_is{tensor.type(), WireFormat::f32, tensor.data()};
  if (format == WireFormat::f32 || tensor.dtype() != DType::f32 || tensor.data().empty()) return as_it_is;
  const std::size_t most = capacity(format, tensor.data().size() / sizeof(float));
  if (most >= tensor.data().size()) return as_it_is;
  auto block = allocate_bytes(most);
  const std::optional<std::size_t> size = encode(tensor.data(), format, block.get(), most);
  if (!size) return as_it_is;
  return {tensor.type(), format, Buffer::take(std::move(block), *size)};
}

std::vector<WireTensor> narrow(std::span<const Tensor> tensors, WireFormat format) {
  std::vector<WireTensor> narrowed;
  narrowed.reserve(tensors.size());
  for (const Tensor& tensor : tensors) narrowed.push_back(narrow(tensor, format));
  return narrowed;
}

Tensor widen(const WireTensor& tensor) {
  check_wire_size(tensor.type, tensor.format, tensor.bytes.size());
  if (tensor.format == WireFormat::f32) return {tensor.type, tensor.bytes};
  const std::size_t size = byte_size(tensor.type, 1);
  auto block = allocate_bytes(size);
  if (!decode(tensor.bytes, tensor.format, block.get(), size / sizeof(float))) {
    fail(ErrorCode::corrupt, "a tensor {} whose {} bytes are none of wire format {}", to_string(tensor.type),
         tensor.bytes.size(), to_string(tensor.format));
  }
  return {tensor.type, Buffer::take(std::move(block), size)};
}

std::vector<Tensor> widen(std::span<const WireTensor> tensors) {
  std::vector<Tensor> widened;
  widened.reserve(tensors.size());
  for (const WireTensor& tensor : tensors) widened.push_back(widen(tensor));
  return widened;
}

}  // namespace lamina
