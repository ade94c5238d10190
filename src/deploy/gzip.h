// Bytes compressed as gzip (RFC 1952), without a time in the header.
#pragma once

#include "deploy/tar.h"

#include <cstddef>
#include <memory>
#include <span>

namespace lamina {

// Not thread-safe. What the sink throws passes through.
class GzipWriter {
 public:
  // `level` from 1, fast, to 9, small.
  GzipWriter(int level, ByteSink sink);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;
  GzipWriter& operator=(const GzipWriter&) = delete;

  void write(std::span<const std::byte> bytes);
  // Call once, after the last write().
  void finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace lamina
