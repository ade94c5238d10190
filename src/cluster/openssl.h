// OpenSSL's objects as values that free themselves, and its files.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include <openssl/bio.h>
#include <openssl/bn.h>
#include <openssl/evp.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

namespace lamina::openssl {

template <auto function>
struct Free {
  template <typename T>
  void operator()(T* thing) const {
    function(thing);
  }
};
using Key = std::unique_ptr<EVP_PKEY, Free<EVP_PKEY_free>>;
using Certificate = std::unique_ptr<X509, Free<X509_free>>;
using RevocationList = std::unique_ptr<X509_CRL, Free<X509_CRL_free>>;
using Revocation = std::unique_ptr<X509_REVOKED, Free<X509_REVOKED_free>>;
using Time = std::unique_ptr<ASN1_TIME, Free<ASN1_TIME_free>>;
using Integer = std::unique_ptr<ASN1_INTEGER, Free<ASN1_INTEGER_free>>;
using Bio = std::unique_ptr<BIO, Free<BIO_free_all>>;
using Extension = std::unique_ptr<X509_EXTENSION, Free<X509_EXTENSION_free>>;
using Number = std::unique_ptr<BIGNUM, Free<BN_free>>;

// Error(internal) with what OpenSSL says: "can't WHAT: …".
void expect(bool good, const char* what);

std::string text_of(BIO* bio);
// Of at most 1 MiB.
Bio open_pem(const std::filesystem::path& path);
// A certificate as PEM text; nullptr where it is none.
Certificate certificate_of(std::string_view pem);

// A certificate and its key.
struct Signer {
  Certificate certificate;
  Key key;
};
// Error(corrupt) where the two don't belong together.
Signer load_signer(const std::filesystem::path& certificate, const std::filesystem::path& key);

}  // namespace lamina::openssl
