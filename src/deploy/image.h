// The image that workers and heads run from: this program, one engine and the libraries they need.
#pragma once

#include "deploy/oci.h"

#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

// What processes in the image may rely on.
constexpr unsigned kImageUser = 65532;                    // user and group, not root
constexpr const char* kImageProgram = "/usr/bin/lamina";  // the entry point
constexpr const char* kImageStore = "/store";  // for a volume; whoever the container runs as may write

// The label that images made here carry, with the version as its value.
constexpr const char* kImageLabel = "systems.lamina.image";

// Where images have shared libraries, without a leading '/'.
constexpr const char* kImageLibraries = "usr/lib/lamina/";
// Where services find their secrets as files.
constexpr const char* kSecrets = "/run/secrets";

struct RuntimeFiles {
  std::filesystem::path program;
  std::filesystem::path engine;       // the engine's shared object
  std::filesystem::path interpreter;  // the dynamic loader, where the program looks for it
  // All other shared libraries, by the names under which they are looked for.
  std::vector<std::filesystem::path> libraries;
};

// Has the engine run a small graph in this process and looks what the process then has loaded, so that
// libraries that are opened at run time are there too. Throws as load_engine() does.
RuntimeFiles find_runtime_files(const std::string& engine);

// This machine's, as Go names it: "amd64". Error(unsupported) for one that images are not made for.
std::string image_architecture();

// "lamina:0.1.0"
std::string image_name(const std::string& version);

// Libraries lie in the lower layer, program and engine in the upper: a new version moves the upper alone.
// Error(already_exists) for two different libraries of one name.
ImageDescription describe_image(const RuntimeFiles& files, const std::string& name,
                                const std::string& version);

}  // namespace lamina
