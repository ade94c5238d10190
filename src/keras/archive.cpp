#include "keras/archive.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>
#include <vector>

#include <zip.h>

namespace lamina {

namespace {

constexpr std::string_view kSignature = "PK\x03\x04";
constexpr zip_int64_t kMaxMembers = 10'000;
constexpr std::uint64_t kMaxExpansion = 100;
constexpr std::uint64_t kMinUnpacked = 64U << 20U;
constexpr std::uint64_t kSpillBytes = 1U << 20U;
constexpr std::uint64_t kLocalHeader = 30;  // bytes before the name in a member's own header (4.3.7)

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};

bool leads_outside(const std::string& name) {
  if (name.empty() || name[0] == '/' || name.find('\\') != std::string::npos) return true;
  std::string_view rest = name;
  while (!rest.empty()) {
    const std::size_t slash = rest.find('/');
    if (rest.substr(0, slash) == "..") return true;
    if (slash == std::string_view::npos) break;
    rest.remove_prefix(slash + 1);
  }
  return false;
}

std::unique_ptr<zip_t, CloseArchive> open_archive(const Buffer& bytes, const std::string& where) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive =
      source == nullptr ? nullptr : zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
  if (archive == nullptr) {
    const std::string why = zip_error_strerror(&error);
    zip_error_fini(&error);
    if (source != nullptr) zip_source_free(source);
    fail(ErrorCode::corrupt, "{}: not a readable zip archive: {}", where, why);
  }
  zip_error_fini(&error);
  return std::unique_ptr<zip_t, CloseArchive>(archive);
}

// libzip checks the directory and unpacks, but tells no offsets; so the directory is read here once more, for
// where members lie (APPNOTE.TXT 4.3.12 to 4.3.16, 4.5.3).
class Directory {
 public:
  Directory(const Buffer& bytes, const std::string& where) : bytes_(bytes), where_(where) { read(); }

  // The bytes of the stored member `index` of the directory, in its order.
  Buffer stored(std::size_t index, std::uint64_t size) const {
    if (index >= offsets_.size()) damaged();
    const std::uint64_t header = offsets_[index];
    if (number(header, 4) != kLocalSignature) damaged();
    const std::uint64_t begin = header + kLocalHeader + number(header + 26, 2) + number(header + 28, 2);
    if (begin > bytes_.size() || size > bytes_.size() - begin) damaged();
    return bytes_.slice(begin, size);
  }

 private:
  static constexpr std::uint64_t kLocalSignature = 0x04034b50;
  static constexpr std::uint64_t kEntrySignature = 0x02014b50;
  static constexpr std::uint64_t kEndSignature = 0x06054b50;
  static constexpr std::uint64_t kEnd64Signature = 0x06064b50;
  static constexpr std::uint64_t kLocator64Signature = 0x07064b50;
  static constexpr std::uint64_t kEndRecord = 22;
  static constexpr std::uint64_t kLongestComment = 65535;
  static constexpr std::uint64_t kIn64 = 0xffffffff;  // the number stands in a zip64 field

  [[noreturn]] void damaged() const {
    fail(ErrorCode::corrupt, "{}: the directory of the zip archive is damaged", where_);
  }

  // `size` bytes at `at`, little endian.
  std::uint64_t number(std::uint64_t at, std::size_t size) const {
    if (at > bytes_.size() || size > bytes_.size() - at) damaged();
    std::uint64_t value = 0;
    for (std::size_t i = size; i > 0; --i)
      value = value << 8U | std::to_integer<std::uint64_t>(bytes_.data()[at + i - 1]);
    return value;
  }

  std::uint64_t find_end() const {
    if (bytes_.size() < kEndRecord) damaged();
    const std::uint64_t last = bytes_.size() - kEndRecord;
    for (std::uint64_t back = 0; back <= std::min(last, kLongestComment); ++back) {
      if (number(last - back, 4) == kEndSignature) return last - back;
    }
    damaged();
  }

  void read() {
    const std::uint64_t end = find_end();
    std::uint64_t count = number(end + 10, 2);
    std::uint64_t at = number(end + 16, 4);
    if (end >= 20 && number(end - 20, 4) == kLocator64Signature) {
      const std::uint64_t end64 = number(end - 12, 8);
      if (number(end64, 4) != kEnd64Signature) damaged();
      count = number(end64 + 32, 8);
      at = number(end64 + 48, 8);
    }
    if (count > static_cast<std::uint64_t>(kMaxMembers)) damaged();
    for (std::uint64_t i = 0; i < count; ++i) {
      if (number(at, 4) != kEntrySignature) damaged();
      const std::uint64_t name = number(at + 28, 2);
      const std::uint64_t extra = number(at + 30, 2);
      offsets_.push_back(offset_of(at, at + 46 + name, extra));
      at += 46 + name + extra + number(at + 32, 2);
    }
  }

  // In a zip64 field stand only those of size, packed size and offset that don't fit their own.
  std::uint64_t offset_of(std::uint64_t entry, std::uint64_t extra, std::uint64_t extra_size) const {
    const std::uint64_t offset = number(entry + 42, 4);
    if (offset != kIn64) return offset;
    std::uint64_t at = extra;
    while (at + 4 <= extra + extra_size && number(at, 2) != 1) at += 4 + number(at + 2, 2);
    const std::uint64_t before =
        (number(entry + 24, 4) == kIn64 ? 8 : 0) + (number(entry + 20, 4) == kIn64 ? 8 : 0);
    if (at + 4 + before + 8 > extra + extra_size) damaged();
    return number(at + 4 + before, 8);
  }

  const Buffer& bytes_;
  const std::string& where_;
  std::vector<std::uint64_t> offsets_;
};

Buffer unpack(zip_t* archive, zip_uint64_t index, const zip_stat_t& member, const Buffer& bytes,
              const std::string& what) {
  if (member.size > std::max(kMinUnpacked, bytes.size() * kMaxExpansion)) {
    fail(ErrorCode::corrupt, "{}: unpacks to {} bytes, from an archive of {}", what, member.size,
         bytes.size());
  }
  std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(archive, index, 0));
  if (!file) fail(ErrorCode::corrupt, "{}: can't be unpacked: {}", what, zip_strerror(archive));
  const bool large = member.size >= kSpillBytes;
  const WritableSpill spill = large ? create_spill(member.size) : WritableSpill{};
  auto block = large ? nullptr : allocate_bytes(member.size);
  std::byte* to = large ? spill.bytes.data() : block.get();
  std::uint64_t done = 0;
  while (done < member.size) {
    const zip_int64_t got = zip_fread(file.get(), to + done, member.size - done);
    if (got <= 0) fail(ErrorCode::corrupt, "{}: its data is damaged", what);
    done += static_cast<std::uint64_t>(got);
  }
  return large ? Buffer(spill.owner, spill.bytes) : Buffer::take(std::move(block), member.size);
}

}  // namespace

bool looks_like_zip(const Buffer& bytes) {
  return bytes.size() >= kSignature.size() &&
         std::memcmp(bytes.data(), kSignature.data(), kSignature.size()) == 0;
}

std::map<std::string, Buffer> read_archive(const Buffer& bytes, const std::set<std::string>& wanted,
                                           const std::string& where) {
  const auto archive = open_archive(bytes, where);
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxMembers) {
    fail(ErrorCode::corrupt, "{}: {} members, expected at most {}", where, count, kMaxMembers);
  }
  const Directory directory(bytes, where);
  std::set<std::string> names;
  std::map<std::string, Buffer> members;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t member;
    zip_stat_init(&member);
    constexpr zip_uint64_t kNeeded =
        ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD;
    if (zip_stat_index(archive.get(), i, 0, &member) != 0 || (member.valid & kNeeded) != kNeeded) {
      fail(ErrorCode::corrupt, "{}: member {} is damaged", where, i);
    }
    const std::string name = member.name;
    const std::string what = where + ": member '" + name + "'";
    if (leads_outside(name)) fail(ErrorCode::corrupt, "{}: its name leads outside the archive", what);
    if (!names.insert(name).second) fail(ErrorCode::corrupt, "{}: stands twice", what);
    if (!wanted.contains(name)) continue;
    if (member.encryption_method != ZIP_EM_NONE) fail(ErrorCode::unsupported, "{}: is encrypted", what);
    members.emplace(name, member.comp_method == ZIP_CM_STORE ? directory.stored(i, member.size)
                                                             : unpack(archive.get(), i, member, bytes, what));
  }
  return members;
}

}  // namespace lamina
