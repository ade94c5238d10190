// A password for a registry: for the registry only its hash, for Docker a configuration that knows it.
#pragma once

#include "deploy/docker.h"

#include <filesystem>
#include <string>

namespace lamina {

// 192 random bits as text.
std::string random_password();

// A line of a htpasswd file, with bcrypt, which is what docker-registry takes.
std::string htpasswd_line(const std::string& user, const std::string& password);

// Writes into a directory that nobody else can read what `docker` is configured with now, contexts included,
// and beside it the password for `registry` ("10.0.0.1:5000"). Returns `docker` as configured there.
Docker log_in(const Docker& docker, const std::filesystem::path& directory, const std::string& registry,
              const std::string& user, const std::string& password);

}  // namespace lamina
