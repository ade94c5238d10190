// One message of the data path: a small header beside the bytes of tensors (docs/formats.md).
//
//   4 bytes, little endian: length of the header | header (protobuf) | zeros to a multiple of 64 | for each
//   tensor its bytes, then zeros to a multiple of 64
//
// The bytes of a tensor are never copied into a protobuf message; a receiver joins the pieces that the
// network made of a frame once, into memory aligned so that engines read it in place.
#pragma once

#include "graph/tensor.h"
#include "worker.pb.h"

#include <cstdint>
#include <vector>

#include <grpcpp/support/byte_buffer.h>

namespace lamina {

struct Frame {
  v1::FrameHeader header;
  std::vector<Tensor> tensors;
};

// Takes the descriptions of tensors from `frame.tensors`. The result shares their bytes.
grpc::ByteBuffer encode_frame(Frame frame);

// Error(corrupt) for a header that is none, sizes that don't add up, or more than `max_bytes`.
Frame decode_frame(const grpc::ByteBuffer& bytes, std::uint64_t max_bytes);

}  // namespace lamina
