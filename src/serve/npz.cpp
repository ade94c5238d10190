#include "serve/npz.h"

#include "base/error.h"
#include "graph/npy.h"

#include <cstring>
#include <memory>
#include <set>
#include <string_view>

#include <zip.h>

namespace lamina {

namespace {

constexpr zip_int64_t kMaxArrays = 4096;
constexpr std::string_view kSuffix = ".npy";

struct DiscardArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
using Archive = std::unique_ptr<zip_t, DiscardArchive>;

struct CloseFile {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

struct FreeSource {
  void operator()(zip_source_t* source) const { zip_source_free(source); }
};
using Source = std::unique_ptr<zip_source_t, FreeSource>;

// libzip's error as text, freed with it.
class ZipError {
 public:
  ZipError() { zip_error_init(&error_); }
  ~ZipError() { zip_error_fini(&error_); }
  ZipError(const ZipError&) = delete;
  ZipError& operator=(const ZipError&) = delete;
  zip_error_t* get() { return &error_; }
  const char* text() { return zip_error_strerror(&error_); }

 private:
  zip_error_t error_{};
};

Archive open(const Buffer& file, const std::string& where) {
  // libzip would take an empty file for an empty archive.
  if (!is_npz(file)) fail(ErrorCode::corrupt, "{} is no .npz: it does not begin as a zip archive", where);
  ZipError error;
  Source source(zip_source_buffer_create(file.data(), file.size(), 0, error.get()));
  if (source == nullptr) fail(ErrorCode::out_of_memory, "{}: {}", where, error.text());
  Archive archive(zip_open_from_source(source.get(), ZIP_RDONLY, error.get()));
  if (archive == nullptr) fail(ErrorCode::corrupt, "{} is no .npz: {}", where, error.text());
  // The archive owns the source now.
  static_cast<void>(source.release());
  return archive;
}

Buffer unpack(zip_t* archive, zip_uint64_t index, std::uint64_t size, const std::string& what) {
  const std::unique_ptr<zip_file_t, CloseFile> entry(zip_fopen_index(archive, index, 0));
  if (entry == nullptr) fail(ErrorCode::corrupt, "{}: {}", what, zip_strerror(archive));
  std::shared_ptr<std::byte[]> bytes = allocate_bytes(size);
  std::uint64_t filled = 0;
  while (filled < size) {
    const zip_int64_t got = zip_fread(entry.get(), bytes.get() + filled, size - filled);
    if (got < 0) fail(ErrorCode::corrupt, "{}: {}", what, zip_file_strerror(entry.get()));
    if (got == 0) fail(ErrorCode::corrupt, "{} ends after {} of {} bytes", what, filled, size);
    filled += static_cast<std::uint64_t>(got);
  }
  // Reading past the end makes libzip compare the checksum.
  std::byte more{};
  const zip_int64_t beyond = zip_fread(entry.get(), &more, 1);
  if (beyond < 0) fail(ErrorCode::corrupt, "{}: {}", what, zip_file_strerror(entry.get()));
  if (beyond > 0) fail(ErrorCode::corrupt, "{} is longer than the {} bytes it declares", what, size);
  return Buffer::take(std::move(bytes), size);
}

}  // namespace

bool is_npz(const Buffer& file) {
  // A local file header, or the end record of an archive that holds nothing.
  return file.size() >= 4 &&
         (std::memcmp(file.data(), "PK\x03\x04", 4) == 0 || std::memcmp(file.data(), "PK\x05\x06", 4) == 0);
}

std::vector<NamedTensor> read_npz(const Buffer& file, std::uint64_t max_bytes, const std::string& where) {
  const Archive archive = open(file, where);
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxArrays) {
    fail(ErrorCode::invalid_argument, "{} holds {} arrays, expected at most {}", where, count, kMaxArrays);
  }
  std::vector<NamedTensor> tensors;
  std::set<std::string> names;
  std::uint64_t total = 0;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t stat{};
    if (zip_stat_index(archive.get(), i, 0, &stat) != 0) {
      fail(ErrorCode::corrupt, "{}, entry {}: {}", where, i, zip_strerror(archive.get()));
    }
    if ((stat.valid & ZIP_STAT_NAME) == 0 || (stat.valid & ZIP_STAT_SIZE) == 0) {
      fail(ErrorCode::corrupt, "{}, entry {} has no name or no size", where, i);
    }
    std::string name = stat.name;
    const std::string what = fmt::format("{}, array '{}'", where, name.substr(0, 120));
    if (!name.ends_with(kSuffix)) {
      fail(ErrorCode::corrupt, "{}: expected a name that ends with .npy", what);
    }
    if (stat.size > max_bytes - total) {
      fail(ErrorCode::invalid_argument, "{} unpacks to {} bytes, expected at most {} for all arrays together",
           what, stat.size, max_bytes);
    }
    total += stat.size;
    name.resize(name.size() - kSuffix.size());
    if (!names.insert(name).second) fail(ErrorCode::corrupt, "{} stands there twice", what);
    tensors.push_back({std::move(name), read_npy(unpack(archive.get(), i, stat.size, what), what)});
  }
  return tensors;
}

Buffer write_npz(const std::vector<NamedTensor>& tensors) {
  ZipError error;
  const auto check = [&error](bool good, const char* doing) {
    if (!good) fail(ErrorCode::internal, "making an .npz, {}: {}", doing, error.text());
  };
  const Source result(zip_source_buffer_create(nullptr, 0, 0, error.get()));
  check(result != nullptr, "starting");
  // One reference goes to the archive, one stays here to read the finished bytes from.
  zip_source_keep(result.get());
  Archive archive(zip_open_from_source(result.get(), ZIP_TRUNCATE, error.get()));
  if (archive == nullptr) zip_source_free(result.get());
  check(archive != nullptr, "opening");

  std::vector<Buffer> files;  // must live until the archive is closed
  for (const NamedTensor& tensor : tensors) {
    files.push_back(write_npy(tensor.tensor));
    Source entry(zip_source_buffer_create(files.back().data(), files.back().size(), 0, error.get()));
    check(entry != nullptr, "adding an array");
    const std::string name = tensor.name + std::string(kSuffix);
    const zip_int64_t index = zip_file_add(archive.get(), name.c_str(), entry.get(), ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      fail(ErrorCode::internal, "making an .npz, array '{}': {}", tensor.name, zip_strerror(archive.get()));
    }
    static_cast<void>(entry.release());
    zip_set_file_compression(archive.get(), static_cast<zip_uint64_t>(index), ZIP_CM_STORE, 0);
  }
  if (zip_close(archive.get()) != 0) {
    fail(ErrorCode::internal, "making an .npz: {}", zip_strerror(archive.get()));
  }
  static_cast<void>(archive.release());

  zip_stat_t stat{};
  check(zip_source_open(result.get()) == 0 && zip_source_stat(result.get(), &stat) == 0, "reading it back");
  std::shared_ptr<std::byte[]> bytes = allocate_bytes(stat.size);
  const zip_int64_t got = zip_source_read(result.get(), bytes.get(), stat.size);
  zip_source_close(result.get());
  check(got >= 0 && static_cast<zip_uint64_t>(got) == stat.size, "reading it back");
  return Buffer::take(std::move(bytes), stat.size);
}

}  // namespace lamina
