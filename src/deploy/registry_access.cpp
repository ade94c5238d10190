#include "deploy/registry_access.h"

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"

#include <array>
#include <cerrno>
#include <cstdlib>

#include <crypt.h>
#include <openssl/evp.h>
#include <openssl/rand.h>

namespace lamina {

namespace {

constexpr std::size_t kPasswordBytes = 24;
// Of bcrypt: a random password can't be guessed however fast guessing is, and each request pays for it.
constexpr unsigned long kRounds = 5;
constexpr std::uint64_t kMaxConfiguration = 16U << 20U;

std::filesystem::path configuration_directory() {
  const char* given = std::getenv("DOCKER_CONFIG");
  if (given != nullptr && *given != '\0') return given;
  const char* home = std::getenv("HOME");
  return home == nullptr ? std::filesystem::path() : std::filesystem::path(home) / ".docker";
}

std::string base64(const std::string& text) {
  std::string encoded(4 * ((text.size() + 2) / 3) + 1, '\0');
  const int size =
      EVP_EncodeBlock(reinterpret_cast<unsigned char*>(encoded.data()),
                      reinterpret_cast<const unsigned char*>(text.data()), static_cast<int>(text.size()));
  encoded.resize(static_cast<std::size_t>(size));
  return encoded;
}

}  // namespace

std::string random_password() {
  std::array<unsigned char, kPasswordBytes> bytes{};
  if (RAND_bytes(bytes.data(), static_cast<int>(bytes.size())) != 1)
    fail(ErrorCode::internal, "can't make a password: no random bytes");
  std::string text;
  for (const unsigned char byte : bytes) text += fmt::format("{:02x}", byte);
  return text;
}

std::string htpasswd_line(const std::string& user, const std::string& password) {
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> salt{};
  crypt_data scratch{};
  if (::crypt_gensalt_rn("$2y$", kRounds, nullptr, 0, salt.data(), salt.size()) == nullptr)
    fail_with_errno(errno, "can't hash a password");
  const char* hash = ::crypt_r(password.c_str(), salt.data(), &scratch);
  if (hash == nullptr || *hash == '*') fail_with_errno(errno, "can't hash a password");
  return user + ":" + hash + "\n";
}

Docker log_in(const Docker& docker, const std::filesystem::path& directory, const std::string& registry,
              const std::string& user, const std::string& password) {
  const std::filesystem::path present = configuration_directory();
  Json configuration = Json::object();
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator(present, none)) {
    const std::filesystem::path name = entry.path().filename();
    if (name == "config.json") {
      configuration = parse_json(read_file(entry.path(), kMaxConfiguration), entry.path().string());
    } else {
      std::filesystem::create_symlink(std::filesystem::absolute(entry.path()), directory / name);
    }
  }
  // A program that keeps passwords would be asked instead of this file.
  configuration.erase("credsStore");
  configuration["auths"][registry] = {{"auth", base64(user + ":" + password)}};
  write_file(directory / "config.json", configuration.dump());
  return docker.with_configuration(directory);
}

}  // namespace lamina
