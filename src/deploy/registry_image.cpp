#include "deploy/registry_image.h"

#include "base/error.h"
#include "deploy/command.h"
#include "deploy/docker.h"
#include "deploy/image.h"

#include <cstdlib>
#include <sstream>
#include <vector>

#include <unistd.h>

namespace lamina {

namespace {

constexpr const char* kProgram = "usr/bin/docker-registry";
constexpr const char* kConfiguration = "etc/lamina/registry.yml";

// As docker-registry 2.8 reads it (distribution/docs/configuration.md).
std::string configuration() {
  return fmt::format(R"(version: 0.1
log: {{level: warn, accesslog: {{disabled: true}}}}
storage: {{filesystem: {{rootdirectory: {store}}}}}
http:
  addr: 0.0.0.0:{port}
  tls: {{certificate: {secrets}/{certificate}, key: {secrets}/{key}}}
auth:
  htpasswd: {{realm: lamina, path: {secrets}/{passwords}}}
)",
                     fmt::arg("store", kImageStore), fmt::arg("port", kRegistryPort),
                     fmt::arg("secrets", kSecrets), fmt::arg("certificate", kRegistryCertificate),
                     fmt::arg("key", kRegistryKey), fmt::arg("passwords", kRegistryPasswords));
}

// Lines such as "libc.so.6 => /lib/libc.so.6 (0x7f…)", and "/lib64/ld-linux-x86-64.so.2 (0x7f…)" of the
// loader.
ImageLayer libraries_of(const std::filesystem::path& program) {
  const CommandResult listed = run_command({"ldd", program.string()});
  ImageLayer layer;
  if (listed.status != 0) {
    if ((listed.output + listed.errors).find("not a dynamic executable") != std::string::npos) return layer;
    fail(ErrorCode::io, "ldd {}: {}", program.string(), listed.errors);
  }
  for (const std::string& line : lines_of(listed.output)) {
    std::istringstream words(line);
    std::string name;
    std::string arrow;
    std::string path;
    words >> name >> arrow >> path;
    if (arrow == "=>" && path == "not")
      fail(ErrorCode::not_found, "'{}' needs the library '{}', which is not there", program.string(), name);
    if (arrow == "=>") {
      layer.files.push_back({.path = kImageLibraries + name, .source = path, .mode = 0755});
    } else if (name.starts_with("/")) {
      layer.files.push_back({.path = name.substr(1), .source = name, .mode = 0755});
    }
  }
  return layer;
}

}  // namespace

std::filesystem::path find_registry_program() {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    const std::filesystem::path program = std::filesystem::path(folder) / "docker-registry";
    if (::access(program.c_str(), X_OK) == 0) return program;
  }
  fail(ErrorCode::not_found,
       "--with-registry needs the program 'docker-registry' on PATH; Debian has it: apt-get install "
       "docker-registry");
}

ImageDescription describe_registry_image(const std::filesystem::path& program, const std::string& name,
                                         const std::string& version) {
  ImageLayer layer = libraries_of(program);
  layer.files.push_back({.path = kProgram, .source = program, .mode = 0755});
  layer.files.push_back({.path = kConfiguration, .source = {}, .text = configuration()});
  layer.folders = {{"tmp", 01777, 0}, {std::string(kImageStore).substr(1), 0700, kImageUser}};
  ImageDescription image;
  image.name = name;
  image.architecture = image_architecture();
  image.config = {{"Entrypoint", {std::string("/") + kProgram, "serve", std::string("/") + kConfiguration}},
                  {"User", fmt::format("{0}:{0}", kImageUser)},
                  {"WorkingDir", "/"},
                  {"Env", Json::array({std::string("LD_LIBRARY_PATH=/") + kImageLibraries, "HOME=/tmp"})},
                  {"Labels", {{kImageLabel, version}}}};
  image.layers = {std::move(layer)};
  return image;
}

}  // namespace lamina
