#include "cluster/certificates.h"

#include "base/error.h"
#include "base/new_file.h"
#include "cluster/openssl.h"

#include <algorithm>
#include <cctype>

#include <arpa/inet.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <unistd.h>

namespace lamina {

namespace {

constexpr int kAuthorityDays = 3650;
constexpr long kSecondsADay = 24L * 60 * 60;
// Clocks of machines differ: a new certificate holds a little before it was made.
constexpr long kClockSkew = 60L * 60;
constexpr int kSerialBits = 127;
constexpr std::size_t kMaxName = 60;  // RFC 5280 allows a common name 64

using namespace openssl;

std::string pem_of(X509* certificate) {
  const Bio bio(BIO_new(BIO_s_mem()));
  expect(bio && PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio.get());
}

std::string pem_of(EVP_PKEY* key) {
  const Bio bio(BIO_new(BIO_s_mem()));
  expect(bio && PEM_write_bio_PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
         "write a key");
  return text_of(bio.get());
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const Extension extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str()));
  expect(extension && X509_add_ext(certificate, extension.get(), -1) == 1, "describe a certificate");
}

// Not signed yet.
Certificate new_certificate(EVP_PKEY* key, const std::string& name, const char* unit, int days) {
  Certificate made(X509_new());
  const Number serial(BN_new());
  expect(made && serial && X509_set_version(made.get(), X509_VERSION_3) == 1 &&
             BN_rand(serial.get(), kSerialBits, BN_RAND_TOP_ONE, BN_RAND_BOTTOM_ANY) == 1 &&
             BN_to_ASN1_INTEGER(serial.get(), X509_get_serialNumber(made.get())) != nullptr,
         "number a certificate");
  expect(X509_gmtime_adj(X509_getm_notBefore(made.get()), -kClockSkew) != nullptr &&
             X509_gmtime_adj(X509_getm_notAfter(made.get()), days * kSecondsADay) != nullptr,
         "date a certificate");
  X509_NAME* subject = X509_get_subject_name(made.get());
  const auto add = [&](const char* field, const std::string& value) {
    expect(X509_NAME_add_entry_by_txt(subject, field, MBSTRING_UTF8,
                                      reinterpret_cast<const unsigned char*>(value.data()),
                                      static_cast<int>(value.size()), -1, 0) == 1,
           "name a certificate");
  };
  add("O", "Lamina");
  add("OU", unit);
  add("CN", name);
  expect(X509_set_pubkey(made.get(), key) == 1, "make a certificate");
  return made;
}

Key new_key() {
  Key key(EVP_EC_gen("P-256"));
  expect(key != nullptr, "make a key");
  return key;
}

void sign(X509* certificate, EVP_PKEY* key) {
  expect(X509_sign(certificate, key, EVP_sha256()) > 0, "sign a certificate");
}

void check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '.' || c == '_' || c == '-';
  });
  if (!plain || name.empty() || name.front() == '.' || name.front() == '-' || name.size() > kMaxName) {
    fail(ErrorCode::invalid_argument,
         "the name of a certificate is '{}', expected at most {} letters, digits, '.', '_' or '-'", name,
         kMaxName);
  }
}

// "DNS:lamina,DNS:example.org,IP:10.0.0.1"
std::string alternative_names(const CertificateRequest& request) {
  std::string names = request.holder == CertificateHolder::process ? "DNS:" + std::string(kProcessName) : "";
  for (const std::string& host : request.hosts) {
    in_addr four{};
    in6_addr six{};
    const bool is_address =
        ::inet_pton(AF_INET, host.c_str(), &four) == 1 || ::inet_pton(AF_INET6, host.c_str(), &six) == 1;
    if (!is_address) check_name(host);
    if (host == kProcessName && request.holder == CertificateHolder::server) {
      fail(ErrorCode::invalid_argument, "a server can't be called '{}', as processes are", kProcessName);
    }
    names += (names.empty() ? "" : ",") + ((is_address ? "IP:" : "DNS:") + host);
  }
  return names;
}

struct Role {
  const char* unit;
  const char* usage;  // RFC 5280, 4.2.1.12
  bool has_hosts;
};

Role role_of(CertificateHolder holder) {
  switch (holder) {
    case CertificateHolder::process:
      return {"process", "serverAuth,clientAuth", true};
    case CertificateHolder::server:
      return {"server", "serverAuth", true};
    default:
      return {"client", "clientAuth", false};
  }
}

// One file, beside others of the same call.
struct NewFile {
  std::filesystem::path path;
  std::string text;
  mode_t mode;
};

std::vector<NewFile> files_of(const TlsFiles& files, X509* certificate, EVP_PKEY* key) {
  return {{files.key, pem_of(key), 0600}, {files.certificate, pem_of(certificate), 0644}};
}

// All or none.
void write_all_new(const std::vector<NewFile>& files) {
  for (std::size_t i = 0; i < files.size(); ++i) {
    try {
      write_new_file(files[i].path, files[i].text, files[i].mode);
    } catch (const Error& error) {
      for (std::size_t done = 0; done < i; ++done) ::unlink(files[done].path.c_str());
      if (error.code() != ErrorCode::already_exists) throw;
      fail(ErrorCode::already_exists, "{}; certificates are never overwritten", error.what());
    }
  }
}

}  // namespace

TlsFiles certificate_files(const std::filesystem::path& directory, const std::string& name) {
  return {directory / "authority.pem", directory / (name + ".pem"), directory / (name + ".key"),
          directory / "revoked.pem"};
}

void create_authority(const std::filesystem::path& directory) {
  std::error_code error;
  if (std::filesystem::create_directories(directory, error)) {
    std::filesystem::permissions(directory, std::filesystem::perms::owner_all, error);
  }
  if (error) fail(ErrorCode::io, "can't create '{}': {}", directory.string(), error.message());
  const Key key = new_key();
  const Certificate made = new_certificate(key.get(), "Lamina authority", "authority", kAuthorityDays);
  X509_set_issuer_name(made.get(), X509_get_subject_name(made.get()));
  add_extension(made.get(), made.get(), NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(made.get(), made.get(), NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(made.get(), made.get(), NID_subject_key_identifier, "hash");
  sign(made.get(), key.get());
  write_all_new(files_of(certificate_files(directory, "authority"), made.get(), key.get()));
}

void create_certificates(const std::filesystem::path& directory,
                         const std::vector<CertificateRequest>& requests, int days) {
  const TlsFiles authority = certificate_files(directory, "authority");
  const Signer issuer = load_signer(authority.certificate, authority.key);
  std::vector<NewFile> files;
  for (const CertificateRequest& request : requests) {
    check_name(request.name);
    const Role role = role_of(request.holder);
    const Key key = new_key();
    const Certificate made = new_certificate(key.get(), request.name, role.unit, days);
    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.certificate.get()));
    add_extension(made.get(), issuer.certificate.get(), NID_basic_constraints, "critical,CA:FALSE");
    add_extension(made.get(), issuer.certificate.get(), NID_key_usage, "critical,digitalSignature");
    add_extension(made.get(), issuer.certificate.get(), NID_ext_key_usage, role.usage);
    add_extension(made.get(), issuer.certificate.get(), NID_subject_key_identifier, "hash");
    add_extension(made.get(), issuer.certificate.get(), NID_authority_key_identifier, "keyid:always");
    if (role.has_hosts)
      add_extension(made.get(), issuer.certificate.get(), NID_subject_alt_name, alternative_names(request));
    sign(made.get(), issuer.key.get());
    for (NewFile& file : files_of(certificate_files(directory, request.name), made.get(), key.get())) {
      files.push_back(std::move(file));
    }
  }
  write_all_new(files);
}

}  // namespace lamina
