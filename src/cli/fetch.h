// What a head needs of a planned model's directory, from another machine.
#pragma once

#include "cluster/security.h"

#include <filesystem>
#include <set>
#include <string>

namespace lamina::cli {

// Names of the files that are served from, those that may be missing too.
std::set<std::string> served_files();

// Takes them from 'lamina keep' at `address` into the directory. Error(not_found) where one is missing that
// has to be there; else as of fetch_file().
void fetch_model(const std::string& address, const TlsFiles& tls, const std::filesystem::path& directory);

}  // namespace lamina::cli
