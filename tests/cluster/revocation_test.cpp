// Certificates taken back, as openssl sees them.
#include "cluster/revocation.h"

#include "base/error.h"
#include "base/file.h"
#include "cluster/certificates.h"
#include "cluster/openssl.h"
#include "support/shell.h"

#include <chrono>
#include <filesystem>
#include <string>

#include <gtest/gtest.h>

namespace lamina {
namespace {

class Revocation : public ::testing::Test {
 protected:
  Revocation() {
    for (const char* name : {"pki", "other"}) {
      create_authority(pki(name));
      create_certificates(
          pki(name), {{"worker", CertificateHolder::process, {}}, {"lost", CertificateHolder::process, {}}},
          1);
    }
  }
  std::filesystem::path pki(const std::string& name) const { return directory_.path() / name; }
  TlsFiles files(const std::string& name) const { return certificate_files(pki("pki"), name); }
  std::string pem(const std::string& name) const { return read_file(files(name).certificate, 10'000); }
  RevokedCertificates open() const { return {files("worker").authority, files("worker").revoked}; }
  ShellResult verify(const std::string& name) const {
    const std::string where = pki("pki").string();
    return shell("openssl verify -crl_check -x509_strict -CAfile " + where + "/authority.pem -CRLfile " +
                 where + "/revoked.pem " + where + "/" + name + ".pem");
  }

  TemporaryDirectory directory_;
};

TEST_F(Revocation, OpensslTakesTheListAndRefusesWhatStandsInIt) {
  revoke_certificate(pki("pki"), "lost");
  EXPECT_EQ(verify("worker").status, 0) << verify("worker").output;
  EXPECT_NE(verify("lost").output.find("certificate revoked"), std::string::npos) << verify("lost").output;
  // Another one joins it, once.
  revoke_certificate(pki("pki"), "worker");
  revoke_certificate(pki("pki"), "worker");
  const std::string text = shell("openssl crl -noout -text -in " + files("worker").revoked.string()).output;
  EXPECT_EQ(shell("echo '" + text + "' | grep -c 'Serial Number'").output, "2\n") << text;
  EXPECT_NE(text.find("CRL Number: \n                2"), std::string::npos) << text;
}

TEST_F(Revocation, TheListMayComeLaterAndGrow) {
  RevokedCertificates revoked = open();
  EXPECT_FALSE(revoked.contains_pem(pem("lost")));
  revoke_certificate(pki("pki"), "lost");
  const Deadline deadline{std::chrono::seconds(20)};
  while (!revoked.contains_pem(pem("lost")) && !deadline.passed()) continue;
  EXPECT_TRUE(revoked.contains_pem(pem("lost")));
  EXPECT_FALSE(revoked.contains_pem(pem("worker")));
  EXPECT_TRUE(revoked.contains_pem("no certificate at all"));
}

TEST_F(Revocation, AListOfAnotherAuthorityIsNone) {
  revoke_certificate(pki("other"), "lost");
  std::filesystem::copy_file(pki("other") / "revoked.pem", files("worker").revoked);
  EXPECT_THROW(open(), Error);
  EXPECT_THROW(revoke_certificate(pki("pki"), "lost"), Error);
  write_file(files("worker").revoked, "nonsense");
  EXPECT_THROW(open(), Error);
  // A place for a list is an empty one.
  write_file(files("worker").revoked, "");
  EXPECT_FALSE(open().contains_pem(pem("lost")));
}

TEST_F(Revocation, WhatWasReadStaysInForceWhenTheListIsDamagedOrGone) {
  revoke_certificate(pki("pki"), "lost");
  const std::string good = read_file(files("worker").revoked, 10'000);
  Watched<std::string> beside({files("worker").revoked}, [] { return std::string(); });
  RevokedCertificates revoked = open();
  for (const std::string& bad : {std::string("nonsense"), std::string()}) {
    const std::shared_ptr<std::string> before = beside.get(Clock::now());
    write_file(files("worker").revoked, bad);
    // Looked at as often as the list: once this one has seen the change, so will that.
    while (beside.get(Clock::now()) == before) continue;
    EXPECT_TRUE(revoked.contains_pem(pem("lost")));
  }
}

TEST_F(Revocation, OnlyWhatTheAuthoritySignedIsTakenBack) {
  std::filesystem::copy_file(certificate_files(pki("other"), "lost").certificate,
                             pki("pki") / "stranger.pem");
  EXPECT_THROW(revoke_certificate(pki("pki"), "stranger"), Error);
  EXPECT_THROW(revoke_certificate(pki("pki"), "nobody"), Error);
  EXPECT_FALSE(std::filesystem::exists(files("worker").revoked));
}

}  // namespace
}  // namespace lamina
