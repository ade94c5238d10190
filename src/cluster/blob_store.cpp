#include "cluster/blob_store.h"

#include "base/error.h"

#include <utility>

namespace lamina {

BlobStore::BlobStore(std::filesystem::path directory) : directory_(std::move(directory)) {
  std::error_code error;
  std::filesystem::create_directories(directory_, error);
  if (error) fail(ErrorCode::io, "can't create the store '{}': {}", directory_.string(), error.message());
}

std::filesystem::path BlobStore::path_of(const std::string& sha256) const {
  // The hash becomes a file name: nothing else may.
  if (!is_sha256(sha256)) fail(ErrorCode::invalid_argument, "'{}' is no SHA-256", sha256);
  return directory_ / sha256;
}

bool BlobStore::has(const std::string& sha256) {
  const std::filesystem::path path = path_of(sha256);
  {
    const std::lock_guard lock(mutex_);
    if (checked_.contains(sha256)) return true;
  }
  if (!std::filesystem::exists(path)) return false;
  const Buffer bytes = map_file(path);
  if (lamina::sha256(bytes.bytes()) != sha256) {
    std::filesystem::remove(path);
    return false;
  }
  const std::lock_guard lock(mutex_);
  checked_.insert(sha256);
  return true;
}

Buffer BlobStore::get(const std::string& sha256) {
  if (!has(sha256)) fail(ErrorCode::not_found, "the store '{}' has no blob {}", directory_.string(), sha256);
  return map_file(path_of(sha256));
}

BlobStore::Writer::Writer(BlobStore& store, std::string sha256)
    : store_(store), expected_(std::move(sha256)), file_(store.path_of(expected_)) {}

void BlobStore::Writer::append(std::span<const std::byte> bytes) {
  file_.write(bytes);
  hash_.update(bytes);
}

void BlobStore::Writer::finish() {
  const std::string actual = hash_.finish();
  if (actual != expected_) {
    fail(ErrorCode::corrupt, "a blob that should be {} arrived as {}", expected_, actual);
  }
  file_.commit();
  const std::lock_guard lock(store_.mutex_);
  store_.checked_.insert(expected_);
}

}  // namespace lamina
