// One message of the data path: a small header beside the bytes of tensors (docs/formats.md).
//
//   4 bytes, little endian: length of the header | header (protobuf) | zeros to a multiple of 64 | for each
//   tensor its bytes in its wire format, then zeros to a multiple of 64
//
// The bytes of a tensor are never copied into a protobuf message; a receiver joins the pieces that the
// network made of a frame once, into memory aligned so that engines read it in place.
//
// Tensors stay as narrow as they travel: whoever computes on them widens them. So a frame that waits takes
// little memory, one that nobody waits for any more costs no time, and the thread that receives is soon back
// at its stream, where frames of other slots and echoes come.
#pragma once

#include "graph/wire_format.h"
#include "worker.pb.h"

#include <cstdint>
#include <vector>

#include <grpcpp/support/byte_buffer.h>

namespace lamina {

struct Frame {
  v1::FrameHeader header;
  std::vector<WireTensor> tensors;
};

// Takes the descriptions of tensors from `frame.tensors`. The result shares their bytes.
grpc::ByteBuffer encode_frame(Frame frame);

// Error(corrupt) for a header that is none, sizes that don't add up, or more than `max_bytes`, as it travels
// or once widened.
Frame decode_frame(const grpc::ByteBuffer& bytes, std::uint64_t max_bytes);

}  // namespace lamina
