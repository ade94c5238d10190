#include "deploy/tar.h"

#include "base/error.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <string_view>
#include <utility>

namespace lamina {

namespace {

constexpr std::size_t kBlock = 512;
constexpr std::size_t kMaxPath = 100;

// The header of POSIX.1-1988, "ustar": numbers are octal digits that end with a zero byte.
struct Header {
  std::array<char, kMaxPath> name;
  std::array<char, 8> mode;
  std::array<char, 8> user;
  std::array<char, 8> group;
  std::array<char, 12> size;
  std::array<char, 12> time;
  std::array<char, 8> checksum;
  char type;
  std::array<char, 100> link;
  std::array<char, 6> magic;
  std::array<char, 2> version;
  std::array<char, 247> rest;
};
static_assert(sizeof(Header) == kBlock);

template <std::size_t digits>
void put_number(std::array<char, digits>& field, std::uint64_t value, const std::string& path) {
  const std::string text = fmt::format("{:0{}o}", value, digits - 1);
  if (text.size() >= digits) fail(ErrorCode::unsupported, "'{}' does not fit a tar: {}", path, value);
  std::copy(text.begin(), text.end(), field.begin());
}

template <std::size_t size>
void put_text(std::array<char, size>& field, std::string_view text) {
  std::copy(text.begin(), text.end(), field.begin());
}

Header make_header(const std::string& path, char type, std::uint64_t size, const TarOwner& owner) {
  if (path.size() > kMaxPath)
    fail(ErrorCode::unsupported, "'{}' does not fit a tar: {} characters, expected at most {}", path,
         path.size(), kMaxPath);
  Header header{};
  put_text(header.name, path);
  put_number(header.mode, owner.mode, path);
  put_number(header.user, owner.owner, path);
  put_number(header.group, owner.owner, path);
  put_number(header.size, size, path);
  put_number(header.time, 0, path);
  header.type = type;
  put_text(header.magic, std::string_view("ustar\0", 6));
  put_text(header.version, "00");
  // The sum counts its own field as blanks.
  header.checksum.fill(' ');
  std::uint64_t sum = 0;
  for (const std::byte byte : std::as_bytes(std::span(&header, 1))) sum += std::to_integer<unsigned>(byte);
  const std::string text = fmt::format("{:06o}", sum);
  std::copy(text.begin(), text.end(), header.checksum.begin());
  header.checksum[6] = '\0';
  return header;
}

}  // namespace

TarWriter::TarWriter(ByteSink sink) : sink_(std::move(sink)) {}

void TarWriter::add(const std::string& path, char type, std::span<const std::byte> bytes,
                    const TarOwner& owner) {
  const Header header = make_header(path, type, bytes.size(), owner);
  sink_(std::as_bytes(std::span(&header, 1)));
  if (!bytes.empty()) sink_(bytes);
  fill((kBlock - bytes.size() % kBlock) % kBlock);
}

void TarWriter::add_folder(const std::string& path, const TarOwner& owner) {
  add(path + "/", '5', {}, owner);
}

void TarWriter::add_file(const std::string& path, std::span<const std::byte> bytes, const TarOwner& owner) {
  add(path, '0', bytes, owner);
}

void TarWriter::fill(std::size_t count) {
  static constexpr std::array<std::byte, 2 * kBlock> kZeros{};
  if (count > 0) sink_(std::span(kZeros).first(count));
}

void TarWriter::finish() { fill(2 * kBlock); }

}  // namespace lamina
