// A run of immutable bytes that keeps whatever owns them alive: a heap block, a mapped file, a message.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <utility>

namespace lamina {

// Copying a Buffer copies a pointer; the bytes never change, so threads may share them.
class Buffer {
 public:
  Buffer() = default;

  // `owner` keeps `bytes` valid for as long as any copy of this Buffer lives.
  Buffer(std::shared_ptr<const void> owner, std::span<const std::byte> bytes)
      : owner_(std::move(owner)), bytes_(bytes) {}

  // Takes bytes that were filled elsewhere. The block is aligned for any element type.
  static Buffer take(std::shared_ptr<std::byte[]> bytes, std::size_t size) {
    const std::span<const std::byte> view(bytes.get(), size);
    return {std::move(bytes), view};
  }

  // Copies bytes that live elsewhere.
  static Buffer copy(std::span<const std::byte> bytes);

  // A part of these bytes, sharing the owner; offset + size must lie inside.
  Buffer slice(std::size_t offset, std::size_t size) const { return {owner_, bytes_.subspan(offset, size)}; }

  std::span<const std::byte> bytes() const { return bytes_; }
  const std::byte* data() const { return bytes_.data(); }
  std::size_t size() const { return bytes_.size(); }
  bool empty() const { return bytes_.empty(); }
  const std::shared_ptr<const void>& owner() const { return owner_; }

 private:
  std::shared_ptr<const void> owner_;
  std::span<const std::byte> bytes_;
};

// A writable block to fill and then hand to Buffer::take. Its memory is not zeroed.
std::shared_ptr<std::byte[]> allocate_bytes(std::size_t size);

}  // namespace lamina
