#include "cli/http_arguments.h"

#include "base/error.h"
#include "base/text.h"
#include "cli/checks.h"

#include <algorithm>

#include <CLI/CLI.hpp>

namespace lamina::cli {

void HttpArguments::add_to(CLI::App& command) {
  auto* https = command.add_flag("--tls", tls,
                                 "serve HTTPS, with the head's certificate unless --http-cert gives another");
  auto* shown = command.add_option("--http-cert", certificate, "PEM certificate that HTTPS clients see");
  auto* kept = command.add_option("--http-key", key, "PEM key of that certificate");
  shown->needs(https)->needs(kept);
  kept->needs(shown);
  command.add_option(
      "--auth", tokens,
      "a file of tokens, one a line: who asks must show one, 'Authorization: Bearer TOKEN'; behind a "
      "token may stand 'predict' or 'watch' where it is for that alone. Read again when it changes");
  command
      .add_flag("--auth-certificates", certificates,
                "who asks may show a client's certificate ('lamina cert DIR --client NAME') instead")
      ->needs(https);
  command.add_option("--max-rate", rate, "requests a second of one client; 0 for no limit")
      ->envname("LAMINA_MAX_RATE")
      ->capture_default_str()
      ->check(number_from_0());
  command.add_option("--max-body", max_body, "largest body of a request")
      ->envname("LAMINA_MAX_BODY")
      ->capture_default_str();
  command.add_option("--max-connections", max_connections, "open at once; more are refused")
      ->envname("LAMINA_MAX_CONNECTIONS")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
  command
      .add_option("--max-connections-per-address", max_connections_per_address,
                  "the same of one address, so that none can take all")
      ->envname("LAMINA_MAX_CONNECTIONS_PER_ADDRESS")
      ->capture_default_str()
      ->check(CLI::Range(1, 1'000'000));
}

HttpOptions HttpArguments::options(const TlsFiles& process) const {
  HttpOptions options;
  options.insecure = process.insecure;
  if (tls) {
    options.tls.certificate = certificate.empty() ? process.certificate.string() : certificate;
    options.tls.key = certificate.empty() ? process.key.string() : key;
    if (!options.tls.enabled()) {
      fail(ErrorCode::invalid_argument,
           "--tls needs a certificate: --certificates DIR, which 'lamina cert DIR' made, or --http-cert and "
           "--http-key");
    }
  }
  if (certificates) {
    options.tls.authority = process.authority;
    options.tls.revoked = process.revoked;
    if (process.authority.empty()) {
      fail(ErrorCode::invalid_argument,
           "--auth-certificates needs the authority that signed them: --certificates DIR or --tls-ca");
    }
  }
  options.tokens = tokens;
  options.max_requests_per_second = rate;
  options.max_body_bytes = parse_bytes(max_body, "--max-body");
  options.max_buffered_bytes = std::max(options.max_buffered_bytes, 2 * options.max_body_bytes);
  options.max_connections = max_connections;
  options.max_connections_per_address = max_connections_per_address;
  return options;
}

}  // namespace lamina::cli
