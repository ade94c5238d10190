// Weights on disk by the SHA-256 of their bytes, so that a new plan or a restarted worker fetches only what
// it lacks.
#pragma once

#include "base/buffer.h"
#include "base/file.h"
#include "base/sha256.h"

#include <cstddef>
#include <filesystem>
#include <memory>
#include <mutex>
#include <set>
#include <span>
#include <string>

namespace lamina {

// Thread-safe. The directory holds one file a blob, named by its hash, each put there whole.
class BlobStore {
 public:
  // Creates the directory. Files already there count once their hash was checked.
  explicit BlobStore(std::filesystem::path directory);

  // Whether the blob is there and its bytes have this hash; a damaged one is removed.
  bool has(const std::string& sha256);
  // Maps a blob. Error(not_found) names the hash.
  Buffer get(const std::string& sha256);

  // A blob that arrives in parts.
  class Writer {
   public:
    Writer(BlobStore& store, std::string sha256);
    void append(std::span<const std::byte> bytes);
    // Puts it in the store; Error(corrupt) when the bytes have another hash.
    void finish();

   private:
    BlobStore& store_;
    std::string expected_;
    AtomicFile file_;
    Sha256 hash_;
  };

 private:
  std::filesystem::path path_of(const std::string& sha256) const;

  std::filesystem::path directory_;
  std::mutex mutex_;
  std::set<std::string> checked_;  // guarded by mutex_
};

}  // namespace lamina
