// Files of one directory, kept for processes of other machines that start with them.
#pragma once

#include "cluster/security.h"

#include <chrono>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

namespace lamina {

// Serves from construction to destruction. Thread-safe.
class FileKeeper {
 public:
  // Gives nothing but `names`, files of the directory; which of them are there is looked at each time.
  // Errors as of listen_at().
  FileKeeper(std::filesystem::path directory, std::set<std::string> names, const std::string& listen,
             const TlsFiles& tls);
  ~FileKeeper();
  FileKeeper(const FileKeeper&) = delete;
  FileKeeper& operator=(const FileKeeper&) = delete;

  // host:port that others reach it at.
  const std::string& address() const;

 private:
  class Implementation;
  std::unique_ptr<Implementation> implementation_;
};

// Takes a file from the keeper at `address` into the directory, whole or not at all. Whether there is one.
// Error(unavailable | deadline_exceeded) where the keeper does not come up within `start`, Error(corrupt) for
// a file that breaks off, Error(io) for a full disk.
bool fetch_file(const std::string& address, const TlsFiles& tls, const std::string& name,
                const std::filesystem::path& directory, std::chrono::milliseconds start);

}  // namespace lamina
