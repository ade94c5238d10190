#include "serve/access.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <sstream>

#include <openssl/crypto.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxFile = 1U << 20U;
constexpr std::size_t kLeastToken = 16;
constexpr std::size_t kMostToken = 512;
constexpr std::string_view kScheme = "bearer ";

// RFC 6750, section 2.1.
bool is_token_character(unsigned char c) {
  return std::isalnum(c) != 0 ||
         std::string_view("-._~+/=").find(static_cast<char>(c)) != std::string_view::npos;
}

std::string_view token_of(std::string_view authorization) {
  if (authorization.size() <= kScheme.size()) return {};
  const bool bearer = std::equal(kScheme.begin(), kScheme.end(), authorization.begin(), [](char a, char b) {
    return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
  });
  if (!bearer) return {};
  authorization.remove_prefix(
      std::min(authorization.find_first_not_of(' ', kScheme.size()), authorization.size()));
  return authorization;
}

}  // namespace

std::vector<std::string> load_tokens(const std::filesystem::path& path) {
  std::istringstream lines(read_file(path, kMaxFile));
  std::vector<std::string> tokens;
  std::string line;
  for (int number = 1; std::getline(lines, line); ++number) {
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.pop_back();
    if (line.empty() || line.front() == '#') continue;
    if (line.size() < kLeastToken || line.size() > kMostToken ||
        !std::all_of(line.begin(), line.end(), is_token_character)) {
      fail(ErrorCode::invalid_argument,
           "{}, line {}: expected a token of {} to {} letters, digits or -._~+/=, such as 'openssl rand -hex "
           "32' "
           "prints",
           path.string(), number, kLeastToken, kMostToken);
    }
    tokens.push_back(line);
  }
  if (tokens.empty()) fail(ErrorCode::invalid_argument, "'{}' has no token", path.string());
  return tokens;
}

Access::Access(const HttpOptions& options)
    : guarded_(options.guarded()),
      clients_(options.max_requests_per_second),
      strangers_(options.max_stranger_requests_per_second) {
  for (const std::string& token : options.tokens) hashes_.push_back(sha256(token));
}

std::size_t Access::find_token(std::string_view token) const {
  const std::string hash = sha256(token);
  std::size_t found = 0;
  for (std::size_t i = 0; i < hashes_.size(); ++i) {
    if (CRYPTO_memcmp(hashes_[i].data(), hash.data(), hash.size()) == 0) found = i + 1;
  }
  return found;
}

Caller Access::identify(std::string_view authorization, const std::optional<PeerCertificate>& certificate,
                        const std::string& address) const {
  if (!guarded_) return {true, address};
  if (const std::string_view token = token_of(authorization); !token.empty()) {
    if (const std::size_t number = find_token(token); number > 0)
      return {true, fmt::format("token {}", number)};
  }
  if (certificate && !certificate->process) return {true, "certificate " + certificate->name};
  return {false, address};
}

std::optional<Reply> Access::refuse(const Caller& caller, const std::optional<PeerCertificate>& certificate,
                                    bool open, Clock::time_point now) {
  const auto wait = (caller.known ? clients_ : strangers_).wait_of(caller.name, now);
  if (wait.count() > 0) {
    Reply reply =
        error_reply(429, "resource_exhausted", "too many requests from this client; ask again later");
    reply.headers.emplace_back("Retry-After", std::to_string(static_cast<int>(std::ceil(wait.count()))));
    return reply;
  }
  if (caller.known || open) return std::nullopt;
  if (certificate) {
    return error_reply(
        403, "permission_denied",
        fmt::format("the certificate of '{}' is a process's, expected a client's: 'lamina cert DIR "
                    "--client NAME' makes one",
                    certificate->name));
  }
  Reply reply =
      error_reply(401, "unauthenticated",
                  "expected 'Authorization: Bearer TOKEN' with a token that this server knows, or a "
                  "client's certificate where it serves HTTPS");
  reply.headers.emplace_back("WWW-Authenticate", "Bearer realm=\"lamina\"");
  return reply;
}

}  // namespace lamina
