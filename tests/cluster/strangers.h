// A worker, a head's end and a keeper that take TLS, and the certificates of those who get in and who don't.
#pragma once

#include "base/descriptor.h"
#include "base/file.h"
#include "cluster/answer_port.h"
#include "cluster/certificates.h"
#include "cluster/fake_engine.h"
#include "cluster/keeper.h"
#include "cluster/worker_server.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <set>
#include <string>

#include <gtest/gtest.h>

namespace lamina {

class Strangers : public ::testing::Test {
 protected:
  Strangers() {
    allow_most_descriptors();
    make("pki", 1);
    make("other", 1);
    create_certificates(pki("pki"), {{"expired", CertificateHolder::process, {}}}, -1);
    WorkerOptions options;
    options.name = "w";
    options.store = directory_.path() / "store";
    options.loaded_engine = std::make_shared<FakeEngine>();
    options.tls = files("pki", "worker");
    worker_ = std::make_unique<WorkerServer>(options);
    head_ = std::make_unique<AnswerPort>("127.0.0.1:0", files("pki", "head"), 1U << 20U);
    head_->open(0, [this](const Frame&) { ++frames_; });
    keeper_ = std::make_unique<FileKeeper>(directory_.path(), std::set<std::string>{"model.json"},
                                           "127.0.0.1:0", files("pki", "head"));
  }

  std::filesystem::path pki(const std::string& name) const { return directory_.path() / name; }
  TlsFiles files(const std::string& where, const std::string& name) const {
    return certificate_files(pki(where), name);
  }
  void make(const std::string& where, int days) {
    create_authority(pki(where));
    create_certificates(pki(where),
                        {{"head", CertificateHolder::process, {}},
                         {"worker", CertificateHolder::process, {}},
                         {"client", CertificateHolder::client, {}},
                         {"registry", CertificateHolder::server, {"localhost"}}},
                        days);
  }

  TemporaryDirectory directory_;
  std::atomic<int> frames_ = 0;  // that the head was given
  std::unique_ptr<WorkerServer> worker_;
  std::unique_ptr<AnswerPort> head_;
  std::unique_ptr<FileKeeper> keeper_;
};

}  // namespace lamina
