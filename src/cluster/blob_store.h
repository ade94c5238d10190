// Weights on disk by the SHA-256 of their bytes, so that a new plan or a restarted worker fetches only what
// it lacks.
#pragma once

#include "base/buffer.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/sha256.h"

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>

namespace lamina {

// Thread-safe. The directory holds one file a blob, named by its hash, each put there whole. Nothing outside
// it is read or written, whatever stands in it: names other than hashes are refused, links are removed.
class BlobStore {
 public:
  struct Limits {
    std::uint64_t bytes = std::uint64_t{64}
                          << 30U;  // of all blobs; the longest unused make room for new ones
    Clock::duration keep = std::chrono::minutes(10);  // who was promised a blob has so long to use it
  };

  // Creates the directory. Files already there count once their hash was checked; what is left of blobs that
  // broke off is removed.
  explicit BlobStore(std::filesystem::path directory, Limits limits);

  // Whether the blob is there and its bytes have this hash; a damaged one is removed.
  bool has(const std::string& sha256);
  // Maps a blob, whose bytes have this hash at this moment. Error(not_found) names the hash; so does
  // Error(corrupt) of a blob that was damaged since it came, which is removed.
  Buffer get(const std::string& sha256);

  // A blob that arrives in parts.
  class Writer {
   public:
    Writer(BlobStore& store, std::string sha256);
    ~Writer();
    Writer(const Writer&) = delete;
    Writer& operator=(const Writer&) = delete;
    // Error(resource_exhausted) when the store is full of blobs that are in use.
    void append(std::span<const std::byte> bytes);
    // Puts it in the store; Error(corrupt) when the bytes have another hash.
    void finish();

   private:
    BlobStore& store_;
    std::string expected_;
    AtomicFile file_;
    Sha256 hash_;
    std::uint64_t reserved_ = 0;
  };

 private:
  struct Entry {
    std::uint64_t bytes = 0;
    Clock::time_point used;  // last asked for
    bool checked = false;    // its hash, by this process
  };

  std::filesystem::path path_of(const std::string& sha256) const;
  void scan();
  // The bytes if their hash is right; otherwise nothing, and no such file either.
  std::optional<Buffer> open(const std::string& sha256);
  void remember(const std::string& sha256, std::uint64_t bytes);
  void forget(const std::string& sha256);
  // Makes room for so many bytes more, which count until they are given back.
  void reserve(std::uint64_t bytes);
  void give_back(std::uint64_t bytes);

  const std::filesystem::path directory_;
  const Limits limits_;
  std::mutex mutex_;
  std::map<std::string, Entry> entries_;  // guarded by mutex_
  std::uint64_t bytes_ = 0;               // of entries_ and what arrives; guarded by mutex_
};

}  // namespace lamina
