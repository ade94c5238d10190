#include "base/file.h"

#include "base/descriptor.h"
#include "base/error.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <memory>
#include <utility>

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lamina {

namespace {

struct OpenedFile {
  std::unique_ptr<Descriptor> descriptor;
  std::uint64_t size;
};

OpenedFile open_regular(const std::filesystem::path& path, Links links = Links::follow) {
  const int no_links = links == Links::refuse ? O_NOFOLLOW | O_NONBLOCK : 0;  // nor a pipe to wait at
  auto descriptor = std::make_unique<Descriptor>(::open(path.c_str(), O_RDONLY | O_CLOEXEC | no_links));
  if (descriptor->get() < 0) fail_with_errno(errno, fmt::format("can't open '{}'", path.string()));
  struct stat status {};
  if (::fstat(descriptor->get(), &status) != 0) {
    fail_with_errno(errno, fmt::format("can't read the size of '{}'", path.string()));
  }
  if (!S_ISREG(status.st_mode)) {
    fail(ErrorCode::invalid_argument, "'{}' is not a regular file", path.string());
  }
  return {std::move(descriptor), static_cast<std::uint64_t>(status.st_size)};
}

Buffer map_descriptor(int descriptor, std::size_t size, const std::string& name) {
  if (size == 0) return {};
  void* address = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor, 0);
  if (address == MAP_FAILED) fail_with_errno(errno, fmt::format("can't map '{}' ({} bytes)", name, size));
  std::shared_ptr<const void> owner(
      address, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {std::move(owner), {static_cast<const std::byte*>(address), size}};
}

void write_all(int descriptor, std::span<const std::byte> bytes, const std::string& name) {
  while (!bytes.empty()) {
    const ssize_t written = ::write(descriptor, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail_with_errno(errno, fmt::format("can't write '{}'", name));
    bytes = bytes.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

Buffer map_file(const std::filesystem::path& path, Links links) {
  const OpenedFile file = open_regular(path, links);
  return map_descriptor(file.descriptor->get(), file.size, path.string());
}

void release_pages(const Buffer& mapped) {
  if (mapped.empty()) return;
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  // Only whole pages inside the buffer: its neighbours may still be in use.
  const auto first = reinterpret_cast<std::uintptr_t>(mapped.data());
  const std::uintptr_t begin = (first + page - 1) / page * page;
  const std::uintptr_t end = (first + mapped.size()) / page * page;
  // MADV_PAGEOUT leaves anonymous memory intact, which MADV_DONTNEED would throw away.
  if (end > begin) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_PAGEOUT);
}

std::string read_file(const std::filesystem::path& path, std::uint64_t max_bytes) {
  const OpenedFile file = open_regular(path);
  if (file.size > max_bytes) {
    fail(ErrorCode::invalid_argument, "'{}' has {} bytes, more than the {} expected at most", path.string(),
         file.size, max_bytes);
  }
  std::string text(file.size, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const ssize_t got = ::read(file.descriptor->get(), text.data() + done, text.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_with_errno(errno, fmt::format("can't read '{}'", path.string()));
    if (got == 0) fail(ErrorCode::io, "'{}' became shorter while it was read", path.string());
    done += static_cast<std::size_t>(got);
  }
  return text;
}

std::string end_of_log(int descriptor) {
  constexpr off_t kMost = 2000;
  struct stat status {};
  const off_t size = ::fstat(descriptor, &status) == 0 ? status.st_size : 0;
  std::string text(static_cast<std::size_t>(std::min(size, kMost)), '\0');
  const ssize_t got = ::pread(descriptor, text.data(), text.size(), std::max<off_t>(size - kMost, 0));
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  while (!text.empty() && text.back() == '\n') text.pop_back();
  return size > kMost ? "…" + text : text;
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  std::string pattern = path_.string() + ".XXXXXX";
  descriptor_ = ::mkostemp(pattern.data(), O_CLOEXEC);
  if (descriptor_ < 0) fail_with_errno(errno, fmt::format("can't create '{}'", path_.string()));
  partial_ = pattern;
}

AtomicFile::~AtomicFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
  if (!partial_.empty()) ::unlink(partial_.c_str());
}

void AtomicFile::write(std::span<const std::byte> bytes) {
  write_all(descriptor_, bytes, path_.string());
  size_ += bytes.size();
}

void AtomicFile::write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

void AtomicFile::commit() {
  const std::string name = path_.string();
  if (::fchmod(descriptor_, 0644) != 0) fail_with_errno(errno, fmt::format("can't write '{}'", name));
  if (::fsync(descriptor_) != 0) fail_with_errno(errno, fmt::format("can't write '{}'", name));
  if (::close(std::exchange(descriptor_, -1)) != 0) {
    fail_with_errno(errno, fmt::format("can't write '{}'", name));
  }
  if (::rename(partial_.c_str(), path_.c_str()) != 0) {
    fail_with_errno(errno, fmt::format("can't put '{}' in place", name));
  }
  partial_.clear();
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

TemporaryDirectory::TemporaryDirectory() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lamina-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_with_errno(errno, fmt::format("can't create a temporary directory '{}'", pattern));
  }
  path_ = pattern;
}

TemporaryDirectory::~TemporaryDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

namespace {

WritableSpill own_mapping(void* address, std::size_t size) {
  std::shared_ptr<const void> owner(
      address, [size](const void* mapped) { ::munmap(const_cast<void*>(mapped), size); });
  return {std::move(owner), {static_cast<std::byte*>(address), size}};
}

}  // namespace

WritableSpill create_spill(std::size_t size) {
  if (size == 0) return {};
  std::string pattern = (std::filesystem::temp_directory_path() / "lamina-XXXXXX").string();
  const Descriptor descriptor(::mkostemp(pattern.data(), O_CLOEXEC));
  if (descriptor.get() < 0) fail_with_errno(errno, fmt::format("can't create '{}'", pattern));
  ::unlink(pattern.c_str());
  const int error = ::posix_fallocate(descriptor.get(), 0, static_cast<off_t>(size));
  if (error != 0) fail_with_errno(error, fmt::format("can't reserve {} bytes in '{}'", size, pattern));
  void* address = ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor.get(), 0);
  if (address == MAP_FAILED) fail_with_errno(errno, fmt::format("can't map '{}' ({} bytes)", pattern, size));
  return own_mapping(address, size);
}

WritableSpill create_shared_memory(std::size_t size) {
  if (size == 0) return {};
  void* address =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (address == MAP_FAILED) fail_with_errno(errno, fmt::format("can't share {} bytes of memory", size));
  return own_mapping(address, size);
}

Buffer spill_to_disk(std::span<const std::byte> bytes) {
  const WritableSpill spill = create_spill(bytes.size());
  std::copy(bytes.begin(), bytes.end(), spill.bytes.begin());
  return {spill.owner, spill.bytes};
}

}  // namespace lamina
