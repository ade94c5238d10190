// Tar archives (POSIX.1-1988 ustar) that come out the same each time: no times, no names of owners.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace lamina {

// Takes the bytes as they are made, in order.
using ByteSink = std::function<void(std::span<const std::byte>)>;

struct TarOwner {
  unsigned mode = 0644;
  unsigned owner = 0;  // number of user and group
};

// Paths have no leading '/' and at most 100 bytes, files less than 8 GiB, else Error(unsupported). Not
// thread-safe. What the sink throws passes through.
class TarWriter {
 public:
  explicit TarWriter(ByteSink sink);

  void add_folder(const std::string& path, const TarOwner& owner);
  void add_file(const std::string& path, std::span<const std::byte> bytes, const TarOwner& owner);
  // Ends the archive; call once, after the last file.
  void finish();

 private:
  void add(const std::string& path, char type, std::span<const std::byte> bytes, const TarOwner& owner);
  void fill(std::size_t count);

  ByteSink sink_;
};

}  // namespace lamina
