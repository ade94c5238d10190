#include "base/new_directory.h"

#include "base/error.h"

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <utility>

#include <fcntl.h>
#include <sys/stat.h>

namespace lamina {

namespace {

// Puts the directory `from` in the place of `to`, which it may replace; what was there is then at `from`.
void put_in_place(const std::filesystem::path& from, const std::filesystem::path& to) {
  if (!std::filesystem::exists(to)) {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      fail_with_errno(errno, fmt::format("can't put '{}' in place", to.string()));
    }
    return;
  }
  if (::renameat2(AT_FDCWD, from.c_str(), AT_FDCWD, to.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno != EINVAL && errno != ENOSYS) {
    fail_with_errno(errno, fmt::format("can't replace '{}'", to.string()));
  }
  // This file system can't exchange: three renames, undone where one fails.
  const std::filesystem::path old = from.string() + ".old";
  if (::rename(to.c_str(), old.c_str()) != 0) {
    fail_with_errno(errno, fmt::format("can't replace '{}'", to.string()));
  }
  if (::rename(from.c_str(), to.c_str()) != 0) {
    const int reason = errno;
    ::rename(old.c_str(), to.c_str());
    fail_with_errno(reason, fmt::format("can't put '{}' in place", to.string()));
  }
  ::rename(old.c_str(), from.c_str());
}

}  // namespace

NewDirectory::NewDirectory(std::filesystem::path path) : final_(std::move(path)) {
  std::string pattern = final_.string() + ".partial-XXXXXX";
  if (::mkdtemp(pattern.data()) == nullptr) {
    fail_with_errno(errno, fmt::format("can't create '{}'", final_.string()));
  }
  partial_ = pattern;
}

NewDirectory::~NewDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(partial_, ignored);
}

void NewDirectory::commit() {
  if (::chmod(partial_.c_str(), 0755) != 0) {
    fail_with_errno(errno, fmt::format("can't write '{}'", final_.string()));
  }
  put_in_place(partial_, final_);
}

}  // namespace lamina
