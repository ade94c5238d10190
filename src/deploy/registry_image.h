// An image of Debian's docker-registry, made from what this machine has of it.
#pragma once

#include "deploy/oci.h"

#include <filesystem>
#include <string>

namespace lamina {

constexpr int kRegistryPort = 5000;  // in the container, HTTPS
// Secrets that it reads, in kSecrets.
constexpr const char* kRegistryCertificate = "registry.pem";
constexpr const char* kRegistryKey = "registry.key";
constexpr const char* kRegistryPasswords = "registry.htpasswd";

// The program, from PATH. Error(not_found) says how to get it.
std::filesystem::path find_registry_program();

// With the shared libraries that `ldd` names. It serves what is under /store by HTTPS to who knows a
// password of kRegistryPasswords. Error(not_found) for a library that is not there.
ImageDescription describe_registry_image(const std::filesystem::path& program, const std::string& name,
                                         const std::string& version);

}  // namespace lamina
