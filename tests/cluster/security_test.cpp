// Strangers at the ports of workers and heads.
#include "cluster/security.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/sha256.h"
#include "cluster/certificates.h"
#include "cluster/data_path.h"
#include "cluster/listener.h"
#include "cluster/revocation.h"
#include "cluster/strangers.h"
#include "cluster/worker_client.h"
#include "support/shell.h"
#include "worker.grpc.pb.h"

#include <atomic>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <sys/resource.h>

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

TEST_F(Strangers, AProcessWhoseCertificateWasTakenBackIsNoLongerHeard) {
  create_certificates(pki("pki"), {{"lost", CertificateHolder::process, {}}}, 1);
  WorkerClient lost(worker_->address(), files("pki", "lost"));
  lost.describe(seconds(20));
  revoke_certificate(pki("pki"), "lost");
  // On the connection that it has, and on a new one; the others are heard as before.
  const Deadline deadline{seconds(20)};
  std::string heard;
  while (heard.find("was taken back") == std::string::npos && !deadline.passed()) {
    try {
      lost.describe(seconds(20));
    } catch (const Error& error) {
      heard = error.what();
    }
  }
  EXPECT_NE(heard.find("was taken back"), std::string::npos) << heard;
  EXPECT_THROW(WorkerClient(worker_->address(), files("pki", "lost")).describe(seconds(20)), Error);
  EXPECT_EQ(WorkerClient(worker_->address(), files("pki", "head")).describe(seconds(20)).device.name, "w");
}

TEST_F(Strangers, NorIsItAskedAnything) {
  create_certificates(pki("pki"), {{"lost", CertificateHolder::process, {}}}, 1);
  DataService service([this](const Frame&) { ++frames_; }, 1U << 20U);
  Listener listener = listen_at("127.0.0.1:0", files("pki", "lost"), 1U << 20U, {&service}, "the lost one");
  DataLink before(listener.address, files("pki", "head"), nullptr);
  before.echo({}, seconds(20));
  revoke_certificate(pki("pki"), "lost");
  DataLink after(listener.address, files("pki", "head"), nullptr);
  EXPECT_THROW(after.echo({}, seconds(20)), Error);
  listener.server->Shutdown(std::chrono::system_clock::now());
}

TEST_F(Strangers, NotEvenAProcessGetsFilesOutsideTheStore) {
  const std::string secret = "a secret of the machine";
  write_file(directory_.path() / "secret", secret);
  std::filesystem::create_symlink(directory_.path() / "secret",
                                  directory_.path() / "store" / sha256("linked"));
  const auto stub = v1::Worker::NewStub(open_channel(worker_->address(), files("pki", "head")));
  const auto expect_refused = [&](const std::string& name, const auto& call) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + seconds(20));
    const grpc::Status status = call(&context);
    EXPECT_FALSE(status.ok()) << name;
    EXPECT_EQ(status.error_message().find(secret), std::string::npos) << status.error_message();
  };
  for (const std::string& name :
       {std::string("../secret"), (directory_.path() / "secret").string(), std::string("."), std::string(""),
        std::string(64, 'A'), sha256("x") + "/../../secret", std::string("..\0secret", 9)}) {
    expect_refused(name, [&](grpc::ClientContext* context) {
      v1::BlobList request;
      request.add_sha256(name);
      v1::BlobList reply;
      return stub->FindMissing(context, request, &reply);
    });
    expect_refused(name, [&](grpc::ClientContext* context) {
      v1::Done done;
      const auto stream = stub->PutBlobs(context, &done);
      v1::BlobChunk chunk;
      chunk.set_sha256(name);
      chunk.set_data("overwritten");
      chunk.set_last(true);
      stream->Write(chunk);
      stream->WritesDone();
      return stream->Finish();
    });
  }
  // A link in the store is no blob, is not written through and does not stay.
  grpc::ClientContext context;
  v1::BlobList request;
  request.add_sha256(sha256("linked"));
  v1::BlobList missing;
  EXPECT_TRUE(stub->FindMissing(&context, request, &missing).ok());
  EXPECT_EQ(missing.sha256_size(), 1);
  EXPECT_FALSE(std::filesystem::is_symlink(directory_.path() / "store" / sha256("linked")));
  EXPECT_EQ(read_file(directory_.path() / "secret", 100), secret);
}

// Opens connections from another process: silent ones, ones that stop within their first message, ones that
// speak something else. `ready` appears once all are there; then they are held until the server has closed
// them, or until `end` appears. Prints how many the server has closed.
constexpr const char* kFlood = R"(
import os, resource, select, socket, sys, time
most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
host, port = sys.argv[1].rsplit(':', 1)
count, ready, end = int(sys.argv[2]), sys.argv[3], sys.argv[4]
openings = [b'', b'\x16\x03\x01', b'\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03' + b'x' * 40, b'GET / HTTP/1.1\r\n']
held, closed = {}, 0
poll = select.poll()
for i in range(count):
    client = socket.create_connection((host, int(port)), timeout=20)
    try:
        client.send(openings[i % 4])
    except OSError:
        closed += 1
        continue
    held[client.fileno()] = client
    poll.register(client, select.POLLIN)
open(ready, 'w').close()
give_up = time.monotonic() + 60
while held and time.monotonic() < give_up and not os.path.exists(end):
    for descriptor, _ in poll.poll(100):
        try:
            data = held[descriptor].recv(1000)
        except OSError:
            data = b''
        if not data:
            poll.unregister(descriptor)
            held.pop(descriptor).close()
            closed += 1
print(closed)
)";

// Runs it beside the test.
class Flood {
 public:
  Flood(const std::filesystem::path& directory, const std::string& address, int connections)
      : ready_(directory / "ready"), end_(directory / "end") {
    write_file(directory / "flood.py", kFlood);
    const std::string command =
        fmt::format("timeout 120 python3 '{}' {} {} '{}' '{}'", (directory / "flood.py").string(), address,
                    connections, ready_.string(), end_.string());
    thread_ = std::thread([this, command] { said_ = shell(command).output; });
    const Deadline deadline{seconds(60)};
    while (!std::filesystem::exists(ready_) && !deadline.passed())
      std::this_thread::sleep_for(milliseconds(10));
    EXPECT_TRUE(std::filesystem::exists(ready_));
  }
  ~Flood() { end(); }
  void end() {
    if (!thread_.joinable()) return;
    write_file(end_, "");
    said();
  }
  // Once all are closed.
  std::string said() {
    if (thread_.joinable()) thread_.join();
    std::filesystem::remove(ready_);
    std::filesystem::remove(end_);
    return said_;
  }

 private:
  const std::filesystem::path ready_;
  const std::filesystem::path end_;
  std::string said_;
  std::thread thread_;
};

TEST_F(Strangers, HundredsWhoNeverEndTheHandshakeKeepNobodyOutAndAreClosed) {
  Flood at_worker(directory_.path(), worker_->address(), 400);
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(WorkerClient(worker_->address(), files("pki", "head")).describe(seconds(20)).device.name, "w");
  }
  EXPECT_EQ(at_worker.said(), "400\n");
  Flood at_head(directory_.path(), head_->address(), 400);
  DataLink link(head_->address(), files("pki", "worker"), nullptr);
  link.echo({}, seconds(20));
}

TEST_F(Strangers, OneAddressCanNotTakeAllThatAProcessHas) {
  // More than come at once from one address are closed at once; another address is served meanwhile.
  Flood flood(directory_.path(), worker_->address(), 1500);
  const std::string port = worker_->address().substr(worker_->address().rfind(':'));
  const ShellResult other =
      shell("echo | timeout 20 openssl s_client -bind 127.0.0.2 -connect 127.0.0.1" + port +
            " -alpn h2 -CAfile '" + files("pki", "head").authority.string() + "' -cert '" +
            files("pki", "head").certificate.string() + "' -key '" + files("pki", "head").key.string() + "'");
  EXPECT_NE(other.output.find("Verify return code: 0 (ok)"), std::string::npos) << other.output;
  flood.end();
}

TEST_F(Strangers, MoreOfThemThanThereAreDescriptorsDoNotEndTheListening) {
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  rlimit few = before;
  few.rlim_cur = 200;
  ::setrlimit(RLIMIT_NOFILE, &few);
  {
    Flood flood(directory_.path(), worker_->address(), 400);
    flood.end();
  }
  // gRPC's own port would hear nobody any more.
  EXPECT_EQ(WorkerClient(worker_->address(), files("pki", "head")).describe(seconds(20)).device.name, "w");
  ::setrlimit(RLIMIT_NOFILE, &before);
}

TEST_F(Strangers, OpensslGetsThroughTheHandshakeWithAProcesssCertificateAlone) {
  const auto connect = [&](const std::string& address, const std::string& words) {
    return shell("echo | timeout 20 openssl s_client -connect " + address + " -alpn h2 -CAfile '" +
                 files("pki", "head").authority.string() + "' " + words);
  };
  const auto shows = [&](const TlsFiles& who) {
    return "-cert '" + who.certificate.string() + "' -key '" + who.key.string() + "'";
  };
  for (const std::string& address : {head_->address(), worker_->address()}) {
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
