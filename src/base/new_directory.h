// A directory that appears whole or not at all.
#pragma once

#include <filesystem>

namespace lamina {

// Under construction beside its final place, removed unless it gets there.
class NewDirectory {
 public:
  // Error(io) where it can't be created.
  explicit NewDirectory(std::filesystem::path path);
  ~NewDirectory();
  NewDirectory(const NewDirectory&) = delete;
  NewDirectory& operator=(const NewDirectory&) = delete;

  const std::filesystem::path& path() const { return partial_; }

  // Takes the place of what was there, which goes. Everybody may read it.
  void commit();

 private:
  std::filesystem::path final_;
  std::filesystem::path partial_;
};

}  // namespace lamina
