// What `lamina cert` makes, judged by the real openssl.
#include "cluster/certificates.h"

#include "base/error.h"
#include "base/file.h"
#include "support/shell.h"

#include <filesystem>
#include <string>

#include <gtest/gtest.h>
#include <sys/stat.h>

namespace lamina {
namespace {

const std::vector<CertificateRequest> kAll = {
    {"head", CertificateHolder::process, {"localhost", "127.0.0.1", "::1", "models.example.org"}},
    {"worker", CertificateHolder::process, {}},
    {"client", CertificateHolder::client, {}}};

unsigned mode_of(const std::filesystem::path& path) {
  struct stat status {};
  return ::stat(path.c_str(), &status) == 0 ? status.st_mode & 0777U : 0;
}

class Certificates : public ::testing::Test {
 protected:
  void make_all() {
    create_authority(directory());
    create_certificates(directory(), kAll, 365);
  }
  std::filesystem::path directory() const { return scratch_.path() / "pki"; }
  ShellResult openssl(const std::string& words) const {
    return shell("cd '" + directory().string() + "' && openssl " + words);
  }

  TemporaryDirectory scratch_;
};

TEST_F(Certificates, OpensslTakesThemForWhatTheyAreMadeFor) {
  make_all();
  for (const CertificateRequest& request : kAll) {
    const bool process = request.holder == CertificateHolder::process;
    const std::string verify = "verify -x509_strict -CAfile authority.pem -purpose ";
    EXPECT_EQ(openssl(verify + "sslclient " + request.name + ".pem").output, request.name + ".pem: OK\n");
    EXPECT_EQ(openssl(verify + "sslserver " + request.name + ".pem").status == 0, process) << request.name;
    EXPECT_EQ(openssl(verify + "sslclient -verify_hostname lamina " + request.name + ".pem").status == 0,
              process)
        << request.name;
  }
  EXPECT_EQ(openssl("verify -CAfile authority.pem -verify_ip 127.0.0.1 head.pem").status, 0);
  EXPECT_EQ(openssl("verify -CAfile authority.pem -verify_hostname models.example.org head.pem").status, 0);
  EXPECT_NE(openssl("verify -CAfile authority.pem -verify_hostname other.example.org head.pem").status, 0);
  const std::string text = openssl("x509 -in worker.pem -noout -text").output;
  EXPECT_NE(text.find("prime256v1"), std::string::npos) << text;
  EXPECT_NE(text.find("ecdsa-with-SHA256"), std::string::npos) << text;
  EXPECT_EQ(openssl("x509 -in worker.pem -noout -checkend " + std::to_string(364 * 86400)).status, 0);
  EXPECT_NE(openssl("x509 -in worker.pem -noout -checkend " + std::to_string(366 * 86400)).status, 0);
}

TEST_F(Certificates, AServerOfAnotherProgramIsNoProcess) {
  make_all();
  create_certificates(directory(), {{"registry", CertificateHolder::server, {"10.0.0.1", "node.lan"}}}, 1);
  const std::string verify = "verify -x509_strict -CAfile authority.pem -purpose ";
  EXPECT_EQ(openssl(verify + "sslserver -verify_ip 10.0.0.1 registry.pem").status, 0);
  EXPECT_EQ(openssl(verify + "sslserver -verify_hostname node.lan registry.pem").status, 0);
  EXPECT_NE(openssl(verify + "sslserver -verify_hostname lamina registry.pem").status, 0);
  EXPECT_NE(openssl(verify + "sslclient registry.pem").status, 0);
  EXPECT_THROW(create_certificates(directory(), {{"other", CertificateHolder::server, {"lamina"}}}, 1),
               Error);
}

TEST_F(Certificates, KeysAreForTheirOwnerAlone) {
  make_all();
  EXPECT_EQ(mode_of(directory()), 0700U);
  for (const char* name : {"authority", "head", "worker", "client"}) {
    EXPECT_EQ(mode_of(certificate_files(directory(), name).key), 0600U) << name;
    EXPECT_EQ(mode_of(certificate_files(directory(), name).certificate), 0644U) << name;
  }
}

TEST_F(Certificates, NothingIsOverwrittenAndNothingHalfMade) {
  make_all();
  const std::string before = read_file(directory() / "authority.key", 10'000);
  EXPECT_THROW(create_authority(directory()), Error);
  EXPECT_THROW(create_certificates(
                   directory(),
                   {{"second", CertificateHolder::client, {}}, {"head", CertificateHolder::process, {}}}, 1),
               Error);
  EXPECT_EQ(read_file(directory() / "authority.key", 10'000), before);
  EXPECT_FALSE(std::filesystem::exists(directory() / "second.key"));
  // A link that stands in the place of a key is not followed.
  std::filesystem::create_symlink(scratch_.path() / "elsewhere", directory() / "third.key");
  EXPECT_THROW(create_certificates(directory(), {{"third", CertificateHolder::client, {}}}, 1), Error);
  EXPECT_FALSE(std::filesystem::exists(scratch_.path() / "elsewhere"));
}

TEST_F(Certificates, NamesThatWouldReachBeyondTheDirectoryOrTheCertificateAreRefused) {
  make_all();
  for (const char* name : {"", "../x", "a/b", ".hidden", "-o", "a,DNS:lamina", "a\nb"}) {
    EXPECT_THROW(create_certificates(directory(), {{name, CertificateHolder::client, {}}}, 1), Error) << name;
    EXPECT_THROW(create_certificates(directory(), {{"good", CertificateHolder::process, {name}}}, 1), Error)
        << name;
  }
  EXPECT_FALSE(std::filesystem::exists(directory() / "good.key"));
}

TEST_F(Certificates, WithoutItsAuthorityNothingIsMade) {
  EXPECT_THROW(create_certificates(directory(), kAll, 1), Error);
  EXPECT_FALSE(std::filesystem::exists(directory()));
}

}  // namespace
}  // namespace lamina
