// Strangers at the ports of workers and heads.
#include "cluster/security.h"

#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cluster/certificates.h"
#include "cluster/data_path.h"
#include "cluster/fake_engine.h"
#include "cluster/listener.h"
#include "cluster/worker_client.h"
#include "cluster/worker_server.h"
#include "support/shell.h"
#include "worker.grpc.pb.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lamina {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

TEST(Loopback, IsWhatCanOnlyBeThisMachine) {
  for (const char* address : {"127.0.0.1:80", "127.9.9.9:0", "[::1]:80", "localhost:7070", "unix:/tmp/x"}) {
    EXPECT_TRUE(is_loopback(address)) << address;
  }
  for (const char* address :
       {"0.0.0.0:80", "[::]:80", "10.0.0.1:80", "127.0.0.1.example.org:80", "localhost.example.org:80", ":80",
        "", "128.0.0.1:80", "ipv4:10.0.0.1:80", "dns:///127.0.0.1:80", "[fe80::1]:80", "*:80"}) {
    EXPECT_FALSE(is_loopback(address)) << address;
  }
}

// The message of the Error that `call` throws.
template <typename Call>
std::string refusal_of(Call call) {
  try {
    call();
    return "";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.what();
  }
}

TEST(Loopback, OutsideItNobodyListensOrConnectsWithoutCertificatesUnlessToldTo) {
  TemporaryDirectory directory;
  WorkerOptions options;
  options.name = "w";
  options.listen = "0.0.0.0:0";
  options.store = directory.path() / "store";
  options.loaded_engine = std::make_shared<FakeEngine>();
  for (const std::string& refusal : {refusal_of([&] { WorkerServer server(options); }),
                                     refusal_of([&] { WorkerClient client("10.255.255.1:7070", {}); }),
                                     refusal_of([&] { DataLink link("10.255.255.1:7070", {}, nullptr); })}) {
    for (const char* way : {"lamina cert", "--certificates", "--insecure"}) {
      EXPECT_NE(refusal.find(way), std::string::npos) << refusal;
    }
  }
  options.tls.insecure = true;
  const WorkerServer server(options);
  EXPECT_EQ(server.address().substr(0, 8), "0.0.0.0:");
}

// A worker and a head's end that take TLS, and everybody who should not get in.
class Strangers : public ::testing::Test {
 protected:
  Strangers() {
    make("pki", 1);
    make("other", 1);
    create_certificates(pki("pki"), {{"expired", CertificateHolder::process, {}}}, -1);
    WorkerOptions options;
    options.name = "w";
    options.store = directory_.path() / "store";
    options.loaded_engine = std::make_shared<FakeEngine>();
    options.tls = files("pki", "worker");
    worker_ = std::make_unique<WorkerServer>(options);
    data_ = std::make_unique<DataService>([this](const Frame&) { ++frames_; }, 1U << 20U);
    head_ = listen_at("127.0.0.1:0", files("pki", "head"), 1U << 20U, {data_.get()}, "the head");
  }
  ~Strangers() override { head_.server->Shutdown(std::chrono::system_clock::now()); }

  std::filesystem::path pki(const std::string& name) const { return directory_.path() / name; }
  TlsFiles files(const std::string& where, const std::string& name) const {
    return certificate_files(pki(where), name);
  }
  void make(const std::string& where, int days) {
    create_authority(pki(where));
    create_certificates(pki(where),
                        {{"head", CertificateHolder::process, {}},
                         {"worker", CertificateHolder::process, {}},
                         {"client", CertificateHolder::client, {}}},
                        days);
  }
  // Trusts the right authority and shows something else; the last shows nothing.
  std::vector<TlsFiles> strangers() const {
    TlsFiles forged = files("other", "worker");
    forged.authority = files("pki", "worker").authority;
    return {files("other", "worker"), forged, files("pki", "expired"), files("pki", "client"), TlsFiles{}};
  }

  TemporaryDirectory directory_;
  std::atomic<int> frames_ = 0;
  std::unique_ptr<WorkerServer> worker_;
  std::unique_ptr<DataService> data_;
  Listener head_;
};

TEST_F(Strangers, ProcessesOfOneAuthorityHearEachOther) {
  WorkerClient client(worker_->address(), files("pki", "head"));
  EXPECT_EQ(client.describe(seconds(20)).device.name, "w");
  DataLink link(head_.address, files("pki", "worker"), nullptr);
  link.send(Frame{});
  link.echo({}, seconds(20));
  EXPECT_EQ(frames_, 1);
}

TEST_F(Strangers, NoCallOfTheirsIsHeard) {
  const std::string blob = "some weights";
  for (const TlsFiles& stranger : strangers()) {
    const std::string who = stranger.certificate.string();
    const auto stub = v1::Worker::NewStub(open_channel(worker_->address(), stranger));
    const auto expect_refused = [&](const char* what, const auto& call) {
      grpc::ClientContext context;
      context.set_deadline(std::chrono::system_clock::now() + seconds(20));
      const grpc::Status status = call(&context);
      EXPECT_TRUE(status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                  status.error_code() == grpc::StatusCode::PERMISSION_DENIED)
          << what << " by '" << who << "': " << status.error_code() << " " << status.error_message();
    };
    expect_refused("Describe", [&](grpc::ClientContext* context) {
      v1::DescribeRequest request;
      request.set_protocol(kProtocolVersion);
      v1::Description reply;
      return stub->Describe(context, request, &reply);
    });
    expect_refused("Load", [&](grpc::ClientContext* context) {
      v1::LoadReply reply;
      return stub->Load(context, v1::LoadRequest(), &reply);
    });
    expect_refused("PutBlobs", [&](grpc::ClientContext* context) {
      v1::Done done;
      const auto stream = stub->PutBlobs(context, &done);
      v1::BlobChunk chunk;
      chunk.set_sha256(sha256(blob));
      chunk.set_data(blob);
      chunk.set_last(true);
      stream->Write(chunk);
      stream->WritesDone();
      return stream->Finish();
    });
    expect_refused("MeasureLink", [&](grpc::ClientContext* context) {
      v1::LinkReply reply;
      return stub->MeasureLink(context, v1::LinkRequest(), &reply);
    });
  }
  EXPECT_FALSE(std::filesystem::exists(directory_.path() / "store" / sha256(blob)));
}

TEST_F(Strangers, NoFrameOfTheirsIsDelivered) {
  for (const TlsFiles& stranger : strangers()) {
    for (const std::string& address : {head_.address, worker_->address()}) {
      DataLink link(address, stranger, nullptr);
      try {
        link.send(Frame{});
        link.echo({}, seconds(20));
        ADD_FAILURE() << address << " answers " << stranger.certificate;
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ErrorCode::unavailable) << error.what();
      }
    }
  }
  EXPECT_EQ(frames_, 0);
}

TEST_F(Strangers, AProcessTalksToNoImpostorEither) {
  // An HTTP client that its authority knows, and a process of another: neither may stand in for a worker.
  for (const TlsFiles& impostor : {files("pki", "client"), files("other", "worker")}) {
    DataService service([this](const Frame&) { ++frames_; }, 1U << 20U);
    Listener listener = listen_at("127.0.0.1:0", impostor, 1U << 20U, {&service}, "the impostor");
    DataLink link(listener.address, files("pki", "head"), nullptr);
    EXPECT_THROW(
        {
          link.send(Frame{});
          link.echo({}, seconds(20));
        },
        Error);
    listener.server->Shutdown(std::chrono::system_clock::now());
  }
  EXPECT_EQ(frames_, 0);
}

TEST_F(Strangers, OpensslGetsThroughTheHandshakeWithAProcesssCertificateAlone) {
  const auto connect = [&](const std::string& address, const std::string& words) {
    return shell("echo | timeout 20 openssl s_client -connect " + address + " -alpn h2 -CAfile '" +
                 files("pki", "head").authority.string() + "' " + words);
  };
  const auto shows = [&](const TlsFiles& who) {
    return "-cert '" + who.certificate.string() + "' -key '" + who.key.string() + "'";
  };
  for (const std::string& address : {head_.address, worker_->address()}) {
    const ShellResult good = connect(address, shows(files("pki", "worker")) + " -verify_hostname lamina");
    EXPECT_NE(good.output.find("Verify return code: 0 (ok)"), std::string::npos) << good.output;
    // With TLS 1.2 the refusal comes within the handshake.
    EXPECT_NE(connect(address, "-tls1_2").status, 0);
    EXPECT_NE(connect(address, "-tls1_2 " + shows(files("other", "worker"))).status, 0);
    EXPECT_NE(connect(address, "-tls1_2 " + shows(files("pki", "expired"))).status, 0);
    EXPECT_NE(connect(address, "-tls1_1 -cipher ALL:@SECLEVEL=0").status, 0);
  }
}

}  // namespace
}  // namespace lamina
