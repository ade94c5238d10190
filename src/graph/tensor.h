// A concrete array: element type, sizes and immutable bytes in row-major order, little endian.
#pragma once

#include "base/buffer.h"
#include "graph/types.h"

#include <span>
#include <string>
#include <vector>

namespace lamina {

// Copying shares the bytes. Its data may lie at any alignment (in a mapped file or a message).
class Tensor {
 public:
  Tensor() = default;
  // `data` must hold exactly the bytes of `type`, whose shape is not symbolic; else Error(invalid_argument).
  Tensor(TensorType type, Buffer data);

  // A tensor of float32 values, for tests and constants.
  static Tensor of(const Shape& shape, std::span<const float> values);
  static Tensor of(const Shape& shape, std::span<const std::int64_t> values);
  static Tensor scalar(float value);

  const TensorType& type() const { return type_; }
  DType dtype() const { return type_.dtype; }
  const Shape& shape() const { return type_.shape; }
  std::int64_t elements() const { return element_count(type_.shape); }
  const Buffer& data() const { return data_; }
  // The bytes as float32 values. Throws Error(invalid_argument) for another dtype. The copy is aligned.
  std::vector<float> to_floats() const;

 private:
  TensorType type_;
  Buffer data_;
};

// A tensor with the name it has in a model: an input, an output or a weight.
struct NamedTensor {
  std::string name;
  Tensor tensor;
};

}  // namespace lamina
