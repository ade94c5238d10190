#include "serve/https.h"

#include "base/error.h"
#include "cluster/revocation.h"
#include "cluster/security.h"

#include <array>
#include <memory>

#include <openssl/ssl.h>
#include <openssl/x509v3.h>

namespace lamina {

namespace {

namespace ssl = boost::asio::ssl;
using boost::system::error_code;

void expect(const error_code& error, const std::filesystem::path& file, const char* what) {
  if (!error) return;
  fail(ErrorCode::invalid_argument, "'{}' is no {} that HTTPS could use: {}", file.string(), what,
       error.message());
}

}  // namespace

ssl::context make_tls_context(const HttpTls& options) {
  ssl::context context(ssl::context::tls_server);
  error_code error;
  context.use_certificate_chain_file(options.certificate.string(), error);
  expect(error, options.certificate, "PEM certificate");
  context.use_private_key_file(options.key.string(), ssl::context::pem, error);
  expect(error, options.key, "PEM key of the certificate");
  SSL_CTX* native = context.native_handle();
  SSL_CTX_set_min_proto_version(native, TLS1_2_VERSION);
  SSL_CTX_set_options(native, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_NO_TICKET);
  // A session that is taken up again would not show its certificate anew.
  SSL_CTX_set_session_cache_mode(native, SSL_SESS_CACHE_OFF);
  if (options.authority.empty()) return context;
  context.load_verify_file(options.authority.string(), error);
  expect(error, options.authority, "PEM certificate of an authority");
  // Certificates are asked for and not insisted on: who shows none may have a token.
  context.set_verify_mode(ssl::verify_peer, error);
  expect(error, options.authority, "PEM certificate of an authority");
  if (STACK_OF(X509_NAME)* names = SSL_load_client_CA_file(options.authority.c_str()); names != nullptr) {
    SSL_CTX_set_client_CA_list(native, names);
  }
  return context;
}

std::optional<PeerCertificate> peer_certificate(SSL* connection) {
  const std::unique_ptr<X509, decltype(&X509_free)> shown(SSL_get1_peer_certificate(connection), X509_free);
  if (!shown || SSL_get_verify_result(connection) != X509_V_OK) return std::nullopt;
  PeerCertificate peer;
  peer.serial = serial_of(shown.get());
  std::array<char, 256> name{};
  if (X509_NAME_get_text_by_NID(X509_get_subject_name(shown.get()), NID_commonName, name.data(),
                                static_cast<int>(name.size())) > 0) {
    peer.name = name.data();
  }
  peer.process = X509_check_host(shown.get(), kProcessName.data(), kProcessName.size(),
                                 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, nullptr) == 1;
  return peer;
}

}  // namespace lamina
