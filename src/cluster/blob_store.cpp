#include "cluster/blob_store.h"

#include "base/error.h"
#include "base/text.h"

#include <algorithm>
#include <utility>

#include <spdlog/spdlog.h>

namespace lamina {

namespace {
// AtomicFile's names for what is not whole yet: a hash, a dot, six characters.
constexpr std::size_t kPartialName = 64 + 7;
}  // namespace

BlobStore::BlobStore(std::filesystem::path directory, Limits limits)
    : directory_(std::move(directory)), limits_(limits) {
  std::error_code error;
  if (std::filesystem::create_directories(directory_, error)) {
    std::filesystem::permissions(directory_, std::filesystem::perms::owner_all, error);
  }
  if (error) fail(ErrorCode::io, "can't create the store '{}': {}", directory_.string(), error.message());
  scan();
}

void BlobStore::scan() {
  std::error_code error;
  for (const auto& file : std::filesystem::directory_iterator(directory_, error)) {
    const std::string name = file.path().filename().string();
    std::error_code unreadable;
    if (name.size() == kPartialName && is_sha256(name.substr(0, 64)) && name[64] == '.') {
      std::filesystem::remove(file.path(), unreadable);
    } else if (is_sha256(name) &&
               file.symlink_status(unreadable).type() == std::filesystem::file_type::regular) {
      const std::uint64_t bytes = file.file_size(unreadable);
      if (!unreadable) remember(name, bytes);
    }
  }
  if (error) fail(ErrorCode::io, "can't read the store '{}': {}", directory_.string(), error.message());
  // Of before this process: nobody was promised any of them.
  for (auto& [name, entry] : entries_) entry = {entry.bytes, Clock::time_point::min(), false};
}

std::filesystem::path BlobStore::path_of(const std::string& sha256) const {
  // The hash becomes a file name: nothing else may.
  if (!is_sha256(sha256)) fail(ErrorCode::invalid_argument, "'{}' is no SHA-256", sha256);
  return directory_ / sha256;
}

std::optional<Buffer> BlobStore::open(const std::string& sha256) {
  const std::filesystem::path path = path_of(sha256);
  if (!std::filesystem::exists(std::filesystem::symlink_status(path))) {
    forget(sha256);
    return std::nullopt;
  }
  try {
    Buffer bytes = map_file(path, Links::refuse);
    if (lamina::sha256(bytes.bytes()) == sha256) {
      remember(sha256, bytes.size());
      return bytes;
    }
    spdlog::warn("'{}' is damaged and is removed", path.string());
  } catch (const Error& error) {
    spdlog::warn("{}; it is removed", error.what());
  }
  std::error_code ignored;
  std::filesystem::remove_all(path, ignored);
  forget(sha256);
  return std::nullopt;
}

bool BlobStore::has(const std::string& sha256) {
  {
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(sha256);
    if (found != entries_.end() && found->second.checked) {
      found->second.used = Clock::now();
      return true;
    }
  }
  return open(sha256).has_value();
}

Buffer BlobStore::get(const std::string& sha256) {
  bool known = false;
  {
    const std::lock_guard lock(mutex_);
    known = entries_.contains(sha256);
  }
  if (std::optional<Buffer> bytes = open(sha256)) return std::move(*bytes);
  if (known) {
    fail(ErrorCode::corrupt, "blob {} in the store '{}' was damaged and is removed", sha256,
         directory_.string());
  }
  fail(ErrorCode::not_found, "the store '{}' has no blob {}", directory_.string(), sha256);
}

void BlobStore::remember(const std::string& sha256, std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  Entry& entry = entries_[sha256];
  bytes_ = bytes_ - entry.bytes + bytes;
  entry = {bytes, Clock::now(), true};
}

void BlobStore::forget(const std::string& sha256) {
  const std::lock_guard lock(mutex_);
  const auto found = entries_.find(sha256);
  if (found == entries_.end()) return;
  bytes_ -= found->second.bytes;
  entries_.erase(found);
}

void BlobStore::reserve(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  const Clock::time_point now = Clock::now();
  while (bytes_ + bytes > limits_.bytes) {
    const auto oldest = std::min_element(entries_.begin(), entries_.end(), [](const auto& a, const auto& b) {
      return a.second.used < b.second.used;
    });
    // Not a subtraction: time_point::min() is further off than a duration reaches.
    if (oldest == entries_.end() || oldest->second.used + limits_.keep > now) {
      fail(ErrorCode::resource_exhausted, "the store '{}' is full: {} of its {} are in use",
           directory_.string(), format_bytes(bytes_), format_bytes(limits_.bytes));
    }
    // A stage that still computes with it has it mapped, and keeps it.
    std::error_code ignored;
    std::filesystem::remove(directory_ / oldest->first, ignored);
    bytes_ -= oldest->second.bytes;
    entries_.erase(oldest);
  }
  bytes_ += bytes;
}

void BlobStore::give_back(std::uint64_t bytes) {
  const std::lock_guard lock(mutex_);
  bytes_ -= bytes;
}

BlobStore::Writer::Writer(BlobStore& store, std::string sha256)
    : store_(store), expected_(std::move(sha256)), file_(store.path_of(expected_)) {}

BlobStore::Writer::~Writer() { store_.give_back(reserved_); }

void BlobStore::Writer::append(std::span<const std::byte> bytes) {
  store_.reserve(bytes.size());
  reserved_ += bytes.size();
  file_.write(bytes);
  hash_.update(bytes);
}

void BlobStore::Writer::finish() {
  const std::string actual = hash_.finish();
  if (actual != expected_) {
    fail(ErrorCode::corrupt, "a blob that should be {} arrived as {}", expected_, actual);
  }
  const std::uint64_t size = file_.size();
  file_.commit();
  store_.give_back(std::exchange(reserved_, 0));
  store_.remember(expected_, size);
}

}  // namespace lamina
