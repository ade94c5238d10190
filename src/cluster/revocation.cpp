#include "cluster/revocation.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/certificates.h"
#include "cluster/openssl.h"

#include <memory>

#include <openssl/err.h>
#include <openssl/pem.h>

namespace lamina {

namespace {

using namespace openssl;

std::string text_of_number(const ASN1_INTEGER* integer) {
  const Number number(ASN1_INTEGER_to_BN(integer, nullptr));
  char* digits = number ? BN_bn2hex(number.get()) : nullptr;
  expect(digits != nullptr, "read the number of a certificate");
  const std::string text = digits;
  OPENSSL_free(digits);
  return text;
}

// Error(corrupt) unless the key has signed it.
RevocationList load_list(const std::filesystem::path& path, EVP_PKEY* key) {
  RevocationList list(PEM_read_bio_X509_CRL(open_pem(path).get(), nullptr, nullptr, nullptr));
  if (!list || X509_CRL_verify(list.get(), key) != 1)
    fail(ErrorCode::corrupt, "'{}' is no list of revoked certificates that the authority has signed",
         path.string());
  return list;
}

RevocationList new_list(X509* authority) {
  RevocationList list(X509_CRL_new());
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, authority, nullptr, nullptr, list.get(), 0);
  const Extension signer(
      X509V3_EXT_conf_nid(nullptr, &context, NID_authority_key_identifier, "keyid:always"));
  expect(list && signer && X509_CRL_set_version(list.get(), X509_CRL_VERSION_2) == 1 &&
             X509_CRL_set_issuer_name(list.get(), X509_get_subject_name(authority)) == 1 &&
             X509_CRL_add_ext(list.get(), signer.get(), -1) == 1,
         "make a list of certificates");
  return list;
}

// Each list that an authority signs has a higher number than the one before.
void number_list(X509_CRL* list) {
  const Integer number(ASN1_INTEGER_new());
  expect(number &&
             ASN1_INTEGER_set_int64(number.get(), sk_X509_REVOKED_num(X509_CRL_get_REVOKED(list))) == 1 &&
             X509_CRL_add1_ext_i2d(list, NID_crl_number, number.get(), 0, X509V3_ADD_REPLACE) == 1,
         "number a list of certificates");
}

// An empty file keeps the place for a list.
bool is_absent(const std::filesystem::path& list) {
  std::error_code error;
  return !std::filesystem::exists(list, error) || std::filesystem::file_size(list, error) == 0;
}

std::set<std::string> serials_of(const std::filesystem::path& authority, const std::filesystem::path& path) {
  const Certificate issuer(PEM_read_bio_X509(open_pem(authority).get(), nullptr, nullptr, nullptr));
  if (!issuer) fail(ErrorCode::corrupt, "'{}' is no certificate", authority.string());
  const RevocationList list = load_list(path, X509_get0_pubkey(issuer.get()));
  std::set<std::string> serials;
  STACK_OF(X509_REVOKED)* revoked = X509_CRL_get_REVOKED(list.get());
  for (int i = 0; i < sk_X509_REVOKED_num(revoked); ++i)
    serials.insert(text_of_number(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i))));
  return serials;
}

}  // namespace

void revoke_certificate(const std::filesystem::path& directory, const std::string& name) {
  const TlsFiles authority = certificate_files(directory, "authority");
  const Signer signer = load_signer(authority.certificate, authority.key);
  const std::filesystem::path path = certificate_files(directory, name).certificate;
  const Certificate certificate(PEM_read_bio_X509(open_pem(path).get(), nullptr, nullptr, nullptr));
  if (!certificate || X509_verify(certificate.get(), signer.key.get()) != 1)
    fail(ErrorCode::invalid_argument, "'{}' is no certificate that this authority has signed", path.string());

  const RevocationList list = is_absent(authority.revoked) ? new_list(signer.certificate.get())
                                                           : load_list(authority.revoked, signer.key.get());
  X509_REVOKED* known = nullptr;
  if (X509_CRL_get0_by_cert(list.get(), &known, certificate.get()) == 1) return;
  const Time now(X509_gmtime_adj(nullptr, 0));
  Revocation revoked(X509_REVOKED_new());
  expect(now && revoked &&
             X509_REVOKED_set_serialNumber(revoked.get(), X509_get_serialNumber(certificate.get())) == 1 &&
             X509_REVOKED_set_revocationDate(revoked.get(), now.get()) == 1 &&
             X509_CRL_add0_revoked(list.get(), revoked.get()) == 1,
         "revoke a certificate");
  static_cast<void>(revoked.release());  // the list's now
  number_list(list.get());
  // It holds until the authority itself ends: a list that is out of date would keep nobody in or out.
  expect(X509_CRL_set1_lastUpdate(list.get(), now.get()) == 1 &&
             X509_CRL_set1_nextUpdate(list.get(), X509_get0_notAfter(signer.certificate.get())) == 1 &&
             X509_CRL_sort(list.get()) == 1 && X509_CRL_sign(list.get(), signer.key.get(), EVP_sha256()) > 0,
         "sign a list of certificates");
  const Bio bio(BIO_new(BIO_s_mem()));
  expect(bio && PEM_write_bio_X509_CRL(bio.get(), list.get()) == 1, "write a list of certificates");
  write_file(authority.revoked, text_of(bio.get()));
}

std::string serial_of(const X509* certificate) { return text_of_number(X509_get0_serialNumber(certificate)); }

RevokedCertificates::RevokedCertificates(const std::filesystem::path& authority,
                                         const std::filesystem::path& list)
    : serials_({list}, [authority, list, known = false]() mutable {
        // One that was there is not forgotten by being removed.
        if (!known && is_absent(list)) return std::set<std::string>();
        std::set<std::string> serials = serials_of(authority, list);
        known = true;
        return serials;
      }) {}

bool RevokedCertificates::contains(const std::string& serial) {
  return serials_.get(Clock::now())->contains(serial);
}

bool RevokedCertificates::contains_pem(std::string_view certificate) {
  const Certificate shown = certificate_of(certificate);
  return !shown || contains(serial_of(shown.get()));
}

}  // namespace lamina
