#include "base/buffer.h"

#include <algorithm>
#include <new>

namespace lamina {

namespace {
constexpr std::align_val_t kAlignment{64};  // a cache line, and the widest vector register
}

std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size) {
  auto* block = static_cast<std::byte*>(::operator new(std::max<std::size_t>(size, 1), kAlignment));
  return {block, [](std::byte* bytes) { ::operator delete(bytes, kAlignment); }};
}

Buffer Buffer::copy(std::span<const std::byte> bytes) {
  auto block = allocate_bytes(bytes.size());
  std::copy(bytes.begin(), bytes.end(), block.get());
  return take(std::move(block), bytes.size());
}

}  // namespace lamina
