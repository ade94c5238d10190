// Files: mapped reading, bounded reading, and writing that is whole or not there at all.
#pragma once

#include "base/buffer.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>

namespace lamina {

// Maps a whole file read-only. The mapping lives as long as a Buffer made from it.
// The file must not be shortened meanwhile. Throws Error(not_found | io | invalid_argument for a folder).
// With Links::refuse a symbolic link in the place of the file is an Error(io), too.
enum class Links : std::uint8_t { follow, refuse };
Buffer map_file(const std::filesystem::path& path, Links links = Links::follow);

// Lets the system drop the pages of a mapped Buffer from memory; they are read again when touched.
// Does nothing for bytes that are not mapped from a file.
void release_pages(const Buffer& mapped);

// Reads a whole file of at most `max_bytes`; a longer one is an Error(invalid_argument).
std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes);

// The end of an open log, for an error that shows what a process said last. "…" stands for what was left out.
std::string end_of_log(int descriptor);

// Writes a file beside its final place and renames it there on commit(), so readers see all of it or nothing.
// Without commit() the partial file is removed. Not thread-safe.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  ~AtomicFile();
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;

  void write(std::span<const std::byte> bytes);
  void write(std::string_view text);
  std::uint64_t size() const { return size_; }

  // Flushes to disk and renames. Throws Error(io), e.g. when the disk is full; the file is then gone.
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path partial_;
  int descriptor_ = -1;
  std::uint64_t size_ = 0;
};

// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view text);

// A fresh directory under the system's temporary one, removed with all it holds at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory();
  ~TemporaryDirectory();
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// A fresh file of no name, mapped for writing. Its pages belong to the disk, not to the process's anonymous
// memory. The space is reserved: a full disk is an Error(io) here, not a crash on writing. The owner keeps
// the mapping alive.
struct WritableSpill {
  std::shared_ptr<const void> owner;
  std::span<std::byte> bytes;
};
WritableSpill create_spill(std::size_t size);

// Memory that this process shares with children it forks later; it takes space only where it is written.
WritableSpill create_shared_memory(std::size_t size);

// create_spill(), filled with a copy of `bytes`.
Buffer spill_to_disk(std::span<const std::byte> bytes);

}  // namespace lamina
