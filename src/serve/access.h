// Who may ask the HTTP front end what, and how often.
//
// A client is known by a token (RFC 6750: "Authorization: Bearer TOKEN") or by a certificate that it showed
// in the TLS handshake. Where neither tokens nor an authority are given, everybody is known by their address.
#pragma once

#include "base/clock.h"
#include "serve/http_options.h"
#include "serve/https.h"
#include "serve/rate_limit.h"
#include "serve/reply.h"

#include <array>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lamina {

// Of a file with one token a line; empty lines and lines that begin with '#' are skipped. Error names file
// and line, never the token.
std::vector<std::string> load_tokens(const std::filesystem::path& path);

// What is known about a request's sender.
struct Caller {
  bool known = false;  // may ask for what is not open to everybody
  std::string name;    // that limits are kept by: of its token or certificate, or its address; no secret
};

// Thread-safe.
class Access {
 public:
  explicit Access(const HttpOptions& options);

  // `authorization` is the header's value, `address` where the connection comes from.
  Caller identify(std::string_view authorization, const std::optional<PeerCertificate>& certificate,
                  const std::string& address) const;
  // 429, 401 or 403; nothing where the request may go on. `open`: everybody may ask this.
  std::optional<Reply> refuse(const Caller& caller, const std::optional<PeerCertificate>& certificate,
                              bool open, Clock::time_point now);

 private:
  // Which token, from 1; 0: none of them. Takes as long whichever it is.
  std::size_t find_token(std::string_view token) const;

  bool guarded_;
  std::vector<std::string> hashes_;  // of the tokens: all of one length, whatever theirs
  RateLimit clients_;
  RateLimit strangers_;
};

}  // namespace lamina
