// Who may ask the HTTP front end what, and how often.
//
// A client is known by a token (RFC 6750: "Authorization: Bearer TOKEN") or by a certificate that it showed
// in the TLS handshake. Where neither tokens nor an authority are given, everybody is known by their address.
// Tokens and the list of certificates that were taken back are read again when their files change.
#pragma once

#include "base/clock.h"
#include "base/rate_limit.h"
#include "base/watched.h"
#include "cluster/revocation.h"
#include "serve/http_options.h"
#include "serve/https.h"
#include "serve/reply.h"
#include "serve/tokens.h"

#include <optional>
#include <string>
#include <string_view>

namespace lamina {

// What is known about a request's sender.
struct Caller {
  bool known = false;      // may ask for what is not open to everybody, as far as its role goes
  bool withdrawn = false;  // showed a certificate that was taken back
  Role role = Role::all;
  std::string name = {};  // that limits are kept by: of its token or certificate, or its address; no secret
};

// Thread-safe.
class Access {
 public:
  // Error as of load_tokens() and of RevokedCertificates.
  explicit Access(const HttpOptions& options);

  // `authorization` is the header's value, `address` where the connection comes from.
  Caller identify(std::string_view authorization, const std::optional<PeerCertificate>& certificate,
                  const std::string& address);
  // 429, 401 or 403; nothing where the request may go on.
  std::optional<Reply> refuse(const Caller& caller, const std::optional<PeerCertificate>& certificate,
                              Right right, Clock::time_point now);

 private:
  bool guarded_;
  std::optional<Watched<TokenList>> tokens_;
  std::optional<RevokedCertificates> revoked_;
  RateLimit clients_;
  RateLimit strangers_;
};

}  // namespace lamina
