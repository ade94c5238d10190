// TLS of the HTTP front end.
#pragma once

#include "serve/http_options.h"

#include <optional>
#include <string>

#include <boost/asio/ssl/context.hpp>

namespace lamina {

// What a client showed; the authority has signed it.
struct PeerCertificate {
  std::string name;         // its common name
  bool process = false;     // a head's or a worker's, not a client's
  std::string serial = {};  // its number
};

// TLS 1.2 and later. With an authority, clients may show certificates that it signed, and those of others end
// the handshake. Error(invalid_argument) names a file that is not what it should be.
boost::asio::ssl::context make_tls_context(const HttpTls& options);

// After the handshake; nothing where the client showed none.
std::optional<PeerCertificate> peer_certificate(SSL* connection);

}  // namespace lamina
