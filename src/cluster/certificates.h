// Making an authority and the certificates it signs (X.509 v3, RFC 5280; ECDSA with P-256 and SHA-256).
//
//   DIR/authority.pem   what everybody is given, to check the others by
//   DIR/authority.key   signs; stays where it was made
//   DIR/NAME.pem, .key  of one process or client
//
// Keys are readable by their owner alone (0600). Nothing that exists is overwritten.
#pragma once

#include "cluster/security.h"

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace lamina {

// Whom a certificate is for.
enum class CertificateHolder : std::uint8_t {
  process,  // a head or a worker: made out to kProcessName, for both ends of a connection
  server,   // serves TLS by another program, at its hosts; no process either
  client,   // asks the HTTP front end; no process takes it for another process
};

struct CertificateRequest {
  std::string name;  // its common name and the name of its files: letters, digits, '.', '_' and '-'
  CertificateHolder holder = CertificateHolder::process;
  std::vector<std::string>
      hosts;  // of a process or server: names and addresses that HTTPS clients reach it at
};

// Creates DIR (0700) where it is missing and an authority in it, which lasts ten years.
void create_authority(const std::filesystem::path& directory);

// Certificates by the authority in DIR that last `days`. All or none.
// Error(already_exists | invalid_argument | not_found without an authority | corrupt | io).
void create_certificates(const std::filesystem::path& directory,
                         const std::vector<CertificateRequest>& requests, int days);

// The files of `name` in DIR, which need not exist.
TlsFiles certificate_files(const std::filesystem::path& directory, const std::string& name);

}  // namespace lamina
