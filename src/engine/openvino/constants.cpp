// Weights as OpenVINO's constants.
#include "base/error.h"
#include "base/file.h"
#include "engine/openvino/lowering.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <utility>

#include <openvino/op/constant.hpp>

namespace lamina::openvino {

namespace {

// Weights smaller than this are copied to memory, larger ones to a file.
constexpr std::size_t kSpillBytes = 4U << 20U;
constexpr std::size_t kAlignment = 64;

std::vector<std::size_t> to_sizes(const Shape& shape) { return {shape.begin(), shape.end()}; }

Output constant_over(DType dtype, const Shape& shape, const Buffer& data) {
  // The constant holds a copy of the Buffer, and with it the owner of the bytes.
  auto owner = std::make_shared<Buffer>(data);
  return std::make_shared<ov::op::v0::Constant>(element_type(dtype), ov::Shape(to_sizes(shape)),
                                                owner->data(), owner);
}

// Copies rows of `width` elements, `from` in steps of `stride` rows, as columns: the transpose of a matrix,
// in blocks that stay in the cache.
void transpose_matrix(const std::uint32_t* from, std::uint32_t* to, std::size_t rows, std::size_t columns) {
  constexpr std::size_t kBlock = 64;
  for (std::size_t row = 0; row < rows; row += kBlock) {
    for (std::size_t column = 0; column < columns; column += kBlock) {
      const std::size_t row_end = std::min(rows, row + kBlock);
      const std::size_t column_end = std::min(columns, column + kBlock);
      for (std::size_t c = column; c < column_end; ++c) {
        for (std::size_t r = row; r < row_end; ++r) to[c * rows + r] = from[r * columns + c];
      }
    }
  }
}

void permute(const std::byte* from, std::byte* to, const Shape& shape, const std::vector<std::size_t>& axes,
             std::size_t size) {
  const std::size_t rank = shape.size();
  std::vector<std::size_t> strides(rank, size);
  for (std::size_t axis = rank - 1; axis-- > 0;) {
    strides[axis] = strides[axis + 1] * static_cast<std::size_t>(shape[axis + 1]);
  }
  std::vector<std::size_t> extents(rank);
  std::vector<std::size_t> steps(rank);
  for (std::size_t i = 0; i < rank; ++i) {
    extents[i] = static_cast<std::size_t>(shape[axes[i]]);
    steps[i] = strides[axes[i]];
  }
  std::vector<std::size_t> index(rank, 0);
  const auto count = static_cast<std::size_t>(element_count(shape));
  std::size_t offset = 0;
  for (std::size_t i = 0; i < count; ++i) {
    std::memcpy(to + i * size, from + offset, size);
    for (std::size_t axis = rank; axis-- > 0;) {
      offset += steps[axis];
      if (++index[axis] < extents[axis]) break;
      offset -= steps[axis] * extents[axis];
      index[axis] = 0;
    }
  }
}

}  // namespace

Output make_constant(const Tensor& tensor) {
  Buffer data = tensor.data();
  if (reinterpret_cast<std::uintptr_t>(data.data()) % size_of(tensor.dtype()) != 0)
    data = Buffer::copy(data.bytes());
  return constant_over(tensor.dtype(), tensor.shape(), data);
}

Output make_permuted_constant(const Tensor& tensor, const Shape& as, const std::vector<std::size_t>& axes) {
  Shape result;
  for (const std::size_t axis : axes) result.push_back(as[axis]);
  const std::size_t bytes = tensor.data().size();
  const bool large = bytes >= kSpillBytes;
  std::shared_ptr<std::byte[]> block;
  WritableSpill spill;
  std::byte* to = nullptr;
  if (large) {
    spill = create_spill(bytes);
    to = spill.bytes.data();
  } else {
    block = allocate_bytes(bytes);
    to = block.get();
  }
  const bool matrix = axes.size() == 2 && axes[0] == 1 && size_of(tensor.dtype()) == 4 &&
                      reinterpret_cast<std::uintptr_t>(tensor.data().data()) % 4 == 0;
  if (matrix) {
    transpose_matrix(reinterpret_cast<const std::uint32_t*>(tensor.data().data()),
                     reinterpret_cast<std::uint32_t*>(to), static_cast<std::size_t>(as[0]),
                     static_cast<std::size_t>(as[1]));
  } else {
    permute(tensor.data().data(), to, as, axes, size_of(tensor.dtype()));
  }
  // What was read is not needed again soon.
  if (large) release_pages(tensor.data());
  return constant_over(tensor.dtype(), result,
                       large ? Buffer(spill.owner, spill.bytes) : Buffer::take(block, bytes));
}

}  // namespace lamina::openvino
