#include "base/watched.h"

#include <sys/stat.h>

namespace lamina {

std::string state_of_files(const std::vector<std::filesystem::path>& files) {
  std::string states;
  for (const std::filesystem::path& file : files) {
    struct stat found {};
    if (::stat(file.c_str(), &found) != 0) {
      states += "absent ";
      continue;
    }
    states += fmt::format("{} {} {} {}.{} ", found.st_dev, found.st_ino, found.st_size, found.st_ctim.tv_sec,
                          found.st_ctim.tv_nsec);
  }
  return states;
}

}  // namespace lamina
