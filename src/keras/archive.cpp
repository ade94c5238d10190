#include "keras/archive.h"

#include "base/error.h"
#include "base/file.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <utility>

#include <zip.h>

namespace lamina {

namespace {

constexpr std::string_view kSignature = "PK\x03\x04";
constexpr zip_int64_t kMaxMembers = 10'000;
constexpr std::uint64_t kMaxExpansion = 100;
constexpr std::uint64_t kMinUnpacked = 64U << 20U;
constexpr std::uint64_t kSpillBytes = 1U << 20U;
constexpr std::size_t kLocalHeader =
    30;  // bytes before the name in a member's own header (APPNOTE.TXT 4.3.7)

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

// libzip tells no offsets, so a stored member is found as the only place where its own header stands before
// its bytes: the local header with its name and size, checked against the directory.
Buffer find_stored(const Buffer& bytes, const std::string& name, std::uint64_t size) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  std::size_t at = 0;
  while ((at = text.find(kSignature, at)) != std::string_view::npos) {
    if (text.size() - at < kLocalHeader) break;
    const auto little = [&](std::size_t offset) {
      return static_cast<std::size_t>(static_cast<unsigned char>(text[at + offset])) |
             static_cast<std::size_t>(static_cast<unsigned char>(text[at + offset + 1])) << 8U;
    };
    const std::size_t name_length = little(26);
    const std::size_t begin = at + kLocalHeader + name_length + little(28);
    const bool stored = little(8) == 0;
    const bool named = text.substr(std::min(text.size(), at + kLocalHeader), name_length) == name;
    if (stored && named && begin <= text.size() && size <= text.size() - begin)
      return bytes.slice(begin, size);
    // The bytes of members may hold the signature too; headers come one after another, so going on byte by
    // byte is enough.
    at += 1;
  }
  return {};
}

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

std::map<std::string, Buffer> read_archive(const Buffer& bytes, const std::string& where) {
  const auto archive = open_archive(bytes, where);
  const zip_int64_t count = zip_get_num_entries(archive.get(), 0);
  if (count > kMaxMembers)
    fail(ErrorCode::corrupt, "{}: {} members, expected at most {}", where, count, kMaxMembers);
  std::map<std::string, Buffer> members;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    zip_stat_t member;
    zip_stat_init(&member);
    constexpr zip_uint64_t kNeeded = ZIP_STAT_NAME | ZIP_STAT_SIZE | ZIP_STAT_COMP_METHOD;
    if (zip_stat_index(archive.get(), i, 0, &member) != 0 || (member.valid & kNeeded) != kNeeded) {
      fail(ErrorCode::corrupt, "{}: member {} is damaged", where, i);
    }
    const std::string name = member.name;
    const std::string what = where + ": member '" + name + "'";
    if (leads_outside(name)) fail(ErrorCode::corrupt, "{}: its name leads outside the archive", what);
    Buffer data;
    if (member.comp_method == ZIP_CM_STORE && member.size > 0) data = find_stored(bytes, name, member.size);
    if (data.size() != member.size) data = unpack(archive.get(), i, member, bytes, what);
    if (!members.emplace(name, data).second) fail(ErrorCode::corrupt, "{}: stands twice", what);
  }
  return members;
}

}  // namespace lamina
