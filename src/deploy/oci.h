// Container images as files, written without Docker: one tar that is both a layout of the Open Container
// Initiative (image-spec 1.0: oci-layout, index.json, blobs/sha256/…) and what `docker load` of all versions
// reads (manifest.json, as Docker's image/spec v1.2 has it).
#pragma once

#include "base/json.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

struct ImageFile {
  std::string path;              // in the image, without a leading '/'
  std::filesystem::path source;  // a file with its bytes; empty: `text`
  std::string text = {};
  unsigned mode = 0644;
};

struct ImageFolder {
  std::string path;
  unsigned mode = 0755;
  unsigned owner = 0;  // number of user and group
};

// Folders that files need are made, owned by root.
struct ImageLayer {
  std::vector<ImageFolder> folders;
  std::vector<ImageFile> files;
};

struct ImageDescription {
  std::string name;                // repository and tag: "lamina:0.1.0"
  std::string architecture;        // as Go names it: "amd64"
  Json config;                     // Entrypoint, User, Env, Labels, … as the image-spec has them
  std::vector<ImageLayer> layers;  // the first lies lowest
};

struct WrittenImage {
  std::string id;  // "sha256:…" of its configuration, the id that Docker shows
  std::size_t files = 0;
  std::uint64_t unpacked_bytes = 0;  // of all files
  std::uint64_t packed_bytes = 0;    // of the tar
};

// Writes the tar, all of it or nothing. The same description and files give the same bytes.
WrittenImage write_image(const std::filesystem::path& path, const ImageDescription& image);

}  // namespace lamina
