#include "graph/tensor.h"

#include "base/error.h"

#include <array>
#include <cstring>
#include <utility>

namespace lamina {

Tensor::Tensor(TensorType type, Buffer data) : type_(std::move(type)), data_(std::move(data)) {
  const std::uint64_t expected = byte_size(type_, 1);
  if (is_symbolic(type_.shape) || data_.size() != expected) {
    fail(ErrorCode::invalid_argument, "a tensor {} was given {} bytes, expected {}", to_string(type_),
         data_.size(), expected);
  }
}

Tensor Tensor::of(const Shape& shape, std::span<const float> values) {
  return {{DType::f32, shape}, Buffer::copy(std::as_bytes(values))};
}

Tensor Tensor::of(const Shape& shape, std::span<const std::int64_t> values) {
  return {{DType::i64, shape}, Buffer::copy(std::as_bytes(values))};
}

Tensor Tensor::scalar(float value) { return of({}, std::array{value}); }

std::vector<float> Tensor::to_floats() const {
  if (type_.dtype != DType::f32) {
    fail(ErrorCode::invalid_argument, "a tensor {} was read as float32", to_string(type_));
  }
  std::vector<float> values(data_.size() / sizeof(float));
  if (!values.empty()) std::memcpy(values.data(), data_.data(), data_.size());
  return values;
}

}  // namespace lamina
