#include "serve/access.h"

#include "base/error.h"

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <vector>

namespace lamina {

namespace {

constexpr std::string_view kScheme = "bearer ";

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

Access::Access(const HttpOptions& options)
    : guarded_(options.guarded()),
      clients_(options.max_requests_per_second),
      strangers_(options.max_stranger_requests_per_second) {
  if (!options.tokens.empty()) {
    tokens_.emplace(std::vector<std::filesystem::path>{options.tokens},
                    [file = options.tokens] { return TokenList(load_tokens(file)); });
  }
  if (!options.tls.revoked.empty()) revoked_.emplace(options.tls.authority, options.tls.revoked);
}

Caller Access::identify(std::string_view authorization, const std::optional<PeerCertificate>& certificate,
                        const std::string& address) {
  if (!guarded_) return {.known = true, .name = address};
  if (const std::string_view token = token_of(authorization); tokens_ && !token.empty()) {
    if (const auto found = tokens_->get(Clock::now())->find(token))
      return {.known = true, .role = found->role, .name = "token " + found->hash};
  }
  if (certificate && !certificate->process) {
    if (revoked_ && revoked_->contains(certificate->serial)) return {.withdrawn = true, .name = address};
    return {.known = true, .name = "certificate " + certificate->name};
  }
  return {.name = address};
}

std::optional<Reply> Access::refuse(const Caller& caller, const std::optional<PeerCertificate>& certificate,
                                    Right right, Clock::time_point now) {
  const auto wait = (caller.known ? clients_ : strangers_).wait_of(caller.name, now);
  if (wait.count() > 0) {
    Reply reply =
        error_reply(429, "resource_exhausted", "too many requests from this client; ask again later");
    reply.headers.emplace_back("Retry-After", std::to_string(static_cast<int>(std::ceil(wait.count()))));
    return reply;
  }
  if (right == Right::none || (caller.known && may(caller.role, right))) return std::nullopt;
  if (caller.known) {
    return error_reply(403, "permission_denied",
                       fmt::format("this token is there to {}, and not for this", to_string(caller.role)));
  }
  if (caller.withdrawn) {
    return error_reply(403, "permission_denied",
                       fmt::format("the certificate of '{}' was taken back", certificate->name));
  }
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
