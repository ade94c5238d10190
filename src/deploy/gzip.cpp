#include "deploy/gzip.h"

#include "base/error.h"

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include <zlib.h>

namespace lamina {

namespace {

constexpr int kGzipWindow = 15 + 16;  // 32 KiB, and gzip's header rather than zlib's
constexpr std::size_t kPart = 1U << 20U;

}  // namespace

struct GzipWriter::State {
  ByteSink sink;
  z_stream stream{};
  std::vector<std::byte> packed = std::vector<std::byte>(kPart);

  void deflate(std::span<const std::byte> bytes, int flush) {
    stream.next_in = reinterpret_cast<Bytef*>(const_cast<std::byte*>(bytes.data()));
    stream.avail_in = static_cast<uInt>(bytes.size());
    do {
      stream.next_out = reinterpret_cast<Bytef*>(packed.data());
      stream.avail_out = static_cast<uInt>(packed.size());
      if (::deflate(&stream, flush) == Z_STREAM_ERROR) fail(ErrorCode::internal, "can't compress");
      const std::size_t made = packed.size() - stream.avail_out;
      if (made > 0) sink(std::span(packed).first(made));
    } while (stream.avail_out == 0);
  }
};

GzipWriter::GzipWriter(int level, ByteSink sink) : state_(std::make_unique<State>()) {
  state_->sink = std::move(sink);
  if (::deflateInit2(&state_->stream, level, Z_DEFLATED, kGzipWindow, 8, Z_DEFAULT_STRATEGY) != Z_OK)
    throw std::bad_alloc();
}

GzipWriter::~GzipWriter() { ::deflateEnd(&state_->stream); }

void GzipWriter::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto part = bytes.first(std::min(bytes.size(), kPart));
    state_->deflate(part, Z_NO_FLUSH);
    bytes = bytes.subspan(part.size());
  }
}

void GzipWriter::finish() { state_->deflate({}, Z_FINISH); }

}  // namespace lamina
