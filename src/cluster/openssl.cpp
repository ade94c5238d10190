#include "cluster/openssl.h"

#include "base/error.h"
#include "base/file.h"

#include <openssl/err.h>
#include <openssl/pem.h>

namespace lamina::openssl {

namespace {
constexpr std::uint64_t kMaxPem = 1U << 20U;
}

void expect(bool good, const char* what) {
  if (!good) fail(ErrorCode::internal, "can't {}: {}", what, ERR_error_string(ERR_get_error(), nullptr));
}

std::string text_of(BIO* bio) {
  char* bytes = nullptr;
  const long size = BIO_get_mem_data(bio, &bytes);
  return {bytes, static_cast<std::size_t>(size)};
}

Bio open_pem(const std::filesystem::path& path) {
  const std::string text = read_file(path, kMaxPem);
  Bio bio(BIO_new(BIO_s_mem()));
  expect(bio && BIO_write(bio.get(), text.data(), static_cast<int>(text.size())) >= 0, "read a file");
  return bio;
}

Certificate certificate_of(std::string_view pem) {
  const Bio bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  return Certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr) : nullptr);
}

Signer load_signer(const std::filesystem::path& certificate, const std::filesystem::path& key) {
  Signer signer{Certificate(PEM_read_bio_X509(open_pem(certificate).get(), nullptr, nullptr, nullptr)),
                Key(PEM_read_bio_PrivateKey(open_pem(key).get(), nullptr, nullptr, nullptr))};
  if (!signer.certificate || !signer.key ||
      X509_check_private_key(signer.certificate.get(), signer.key.get()) != 1) {
    fail(ErrorCode::corrupt, "'{}' and '{}' are no certificate and its key", certificate.string(),
         key.string());
  }
  return signer;
}

}  // namespace lamina::openssl
