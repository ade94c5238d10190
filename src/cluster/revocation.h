// Taking certificates back before they expire, by a list that the authority signs (RFC 5280, section 5).
//
//   DIR/revoked.pem   beside authority.pem; every process that should heed it needs the file
#pragma once

#include "base/watched.h"
#include "cluster/security.h"

#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include <openssl/x509.h>

namespace lamina {

// Adds DIR/NAME.pem to DIR/revoked.pem, which is made where it is missing. Nothing changes where it is in the
// list already. Error(not_found | corrupt | io); Error(invalid_argument) for one that another authority
// signed.
void revoke_certificate(const std::filesystem::path& directory, const std::string& name);

// The number of a certificate among those of its authority, in hexadecimal digits.
std::string serial_of(const X509* certificate);

// Which certificates were taken back. The file may come later and is read again when it changes; one that
// another has signed, or that is gone, leaves in force what was read before. Thread-safe.
class RevokedCertificates {
 public:
  // Error(corrupt) where the file is there and is no list of the authority's.
  RevokedCertificates(const std::filesystem::path& authority, const std::filesystem::path& list);

  bool contains(const std::string& serial);
  // Of a certificate as PEM text; what is none counts as taken back.
  bool contains_pem(std::string_view certificate);

 private:
  Watched<std::set<std::string>> serials_;
};

}  // namespace lamina
