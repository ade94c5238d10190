#include "cluster/frame.h"

#include "base/error.h"

#include <array>
#include <cstring>
#include <memory>
#include <utility>

#include <grpcpp/support/slice.h>

namespace lamina {

namespace {

constexpr std::size_t kAlignment = 64;
constexpr std::size_t kMaxHeader = 1U << 20U;
constexpr int kMaxTensors = 4096;
constexpr int kMaxRank = 32;

std::size_t padding(std::size_t size) { return (kAlignment - size % kAlignment) % kAlignment; }

// A slice that shares a Buffer's bytes and keeps their owner until gRPC is done with them.
grpc::Slice share(const Buffer& buffer) {
  auto owner = std::make_unique<Buffer>(buffer);
  void* bytes = const_cast<std::byte*>(buffer.data());
  return {bytes, buffer.size(),
          [](void* user) { const std::unique_ptr<Buffer> ended(static_cast<Buffer*>(user)); },
          owner.release()};
}

Buffer join(const grpc::ByteBuffer& bytes) {
  std::vector<grpc::Slice> slices;
  if (!bytes.Dump(&slices).ok()) fail(ErrorCode::corrupt, "a frame can't be read");
  auto block = allocate_bytes(bytes.Length());
  std::size_t at = 0;
  for (const grpc::Slice& slice : slices) {
    std::memcpy(block.get() + at, slice.begin(), slice.size());
    at += slice.size();
  }
  return Buffer::take(std::move(block), at);
}

}  // namespace

grpc::ByteBuffer encode_frame(Frame frame) {
  frame.header.clear_tensors();
  for (const WireTensor& tensor : frame.tensors) {
    v1::TensorHeader* header = frame.header.add_tensors();
    header->set_dtype(std::string(to_string(tensor.type.dtype)));
    for (const std::int64_t size : tensor.type.shape) header->add_shape(size);
    header->set_wire(std::string(to_string(tensor.format)));
    header->set_bytes(tensor.bytes.size());
  }
  std::string head(4, '\0');
  const auto length = static_cast<std::uint32_t>(frame.header.ByteSizeLong());
  std::memcpy(head.data(), &length, sizeof(length));
  frame.header.AppendToString(&head);
  head.append(padding(head.size()), '\0');
  std::vector<grpc::Slice> slices = {grpc::Slice(head)};
  static const std::array<std::byte, kAlignment> kZeros{};
  for (const WireTensor& tensor : frame.tensors) {
    if (tensor.bytes.empty()) continue;
    slices.push_back(share(tensor.bytes));
    const std::size_t pad = padding(tensor.bytes.size());
    if (pad > 0) slices.emplace_back(kZeros.data(), pad, grpc::Slice::STATIC_SLICE);
  }
  return {slices.data(), slices.size()};
}

Frame decode_frame(const grpc::ByteBuffer& bytes, std::uint64_t max_bytes) {
  if (bytes.Length() > max_bytes) {
    fail(ErrorCode::corrupt, "a frame of {} bytes, expected at most {}", bytes.Length(), max_bytes);
  }
  const Buffer all = join(bytes);
  std::uint32_t length = 0;
  if (all.size() < sizeof(length)) fail(ErrorCode::corrupt, "a frame of {} bytes", all.size());
  std::memcpy(&length, all.data(), sizeof(length));
  if (length > kMaxHeader || length > all.size() - sizeof(length)) {
    fail(ErrorCode::corrupt, "a frame of {} bytes with a header of {}", all.size(), length);
  }
  Frame frame;
  if (!frame.header.ParseFromArray(all.data() + sizeof(length), static_cast<int>(length))) {
    fail(ErrorCode::corrupt, "a frame with a header that is none");
  }
  if (frame.header.tensors_size() > kMaxTensors) {
    fail(ErrorCode::corrupt, "a frame of {} tensors", frame.header.tensors_size());
  }
  std::size_t at = sizeof(length) + length;
  at += padding(at);
  std::uint64_t wide = 0;
  for (const v1::TensorHeader& header : frame.header.tensors()) {
    if (header.shape_size() > kMaxRank) fail(ErrorCode::corrupt, "a tensor of {} axes", header.shape_size());
    const TensorType type{dtype_from_string(header.dtype(), "a frame"),
                          {header.shape().begin(), header.shape().end()}};
    const WireFormat format = wire_format_from_string(header.wire(), "a frame");
    const std::uint64_t size = header.bytes();
    check_wire_size(type, format, size);
    if (at > all.size() || size > all.size() - at) {
      fail(ErrorCode::corrupt, "a frame ends within a tensor {}", to_string(type));
    }
    // A few bytes may stand for many: no frame may take more memory than one that is not narrowed.
    wide += byte_size(type, 1);
    if (wide > max_bytes) {
      fail(ErrorCode::corrupt, "a frame of {} bytes or more once widened, expected at most {}", wide,
           max_bytes);
    }
    frame.tensors.push_back({type, format, all.slice(at, size)});
    at += size + padding(size);
  }
  return frame;
}

}  // namespace lamina
