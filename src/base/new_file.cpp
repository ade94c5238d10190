#include "base/new_file.h"

#include "base/descriptor.h"
#include "base/error.h"

#include <cerrno>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

namespace lamina {

void write_new_file(const std::filesystem::path& path, std::string_view text, unsigned mode) {
  const Descriptor descriptor(
      ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode));
  if (descriptor.get() < 0) {
    if (errno == EEXIST) fail(ErrorCode::already_exists, "'{}' exists", path.string());
    fail_with_errno(errno, fmt::format("can't create '{}'", path.string()));
  }
  const ssize_t written = ::write(descriptor.get(), text.data(), text.size());
  if (written != static_cast<ssize_t>(text.size()) || ::fchmod(descriptor.get(), mode) != 0 ||
      ::fsync(descriptor.get()) != 0) {
    const int reason = errno;
    ::unlink(path.c_str());
    fail_with_errno(reason, fmt::format("can't write '{}'", path.string()));
  }
}

}  // namespace lamina
