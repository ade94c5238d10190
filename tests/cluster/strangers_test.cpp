// Every call that a worker, a head or a keeper answers, tried by everybody who may not.
#include "cluster/strangers.h"

#include "base/clock.h"
#include "base/sha256.h"
#include "cluster/data_path.h"
#include "cluster/revocation.h"
#include "cluster/security.h"
#include "cluster/worker_client.h"
#include "worker.grpc.pb.h"

#include <chrono>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <grpcpp/create_channel.h>
#include <grpcpp/impl/codegen/rpc_method.h>
#include <grpcpp/security/credentials.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/sync_stream.h>

namespace lamina {
namespace {

using std::chrono::seconds;

constexpr const char* kFrames = "/lamina.v1.Data/Frames";

// Of all services that the sources describe, and the stream of frames, which no .proto file describes.
std::vector<std::string> all_methods() {
  std::vector<std::string> methods = {kFrames};
  for (const auto& entry : std::filesystem::recursive_directory_iterator(LAMINA_SOURCE_DIR "/src")) {
    if (entry.path().extension() != ".proto") continue;
    const auto* file =
        google::protobuf::DescriptorPool::generated_pool()->FindFileByName(entry.path().filename().string());
    if (file == nullptr) {
      ADD_FAILURE() << entry.path() << " is not linked to this test";
      continue;
    }
    for (int i = 0; i < file->service_count(); ++i) {
      const google::protobuf::ServiceDescriptor* service = file->service(i);
      for (int j = 0; j < service->method_count(); ++j)
        methods.push_back("/" + service->full_name() + "/" + service->method(j)->name());
    }
  }
  return methods;
}

constexpr std::string_view kBlob = "some weights";

// Of one call: a frame, a blob, or what any protobuf takes.
grpc::ByteBuffer message_of(const std::string& method) {
  if (method == kFrames) return encode_frame(Frame{});
  std::string bytes;
  if (method == "/lamina.v1.Worker/PutBlobs") {
    v1::BlobChunk chunk;
    chunk.set_sha256(sha256(kBlob));
    chunk.set_data(std::string(kBlob));
    chunk.set_last(true);
    bytes = chunk.SerializeAsString();
  }
  const grpc::Slice slice(bytes);
  return {&slice, 1};
}

// On the wire all calls are streams.
grpc::Status call(const std::shared_ptr<grpc::Channel>& channel, const std::string& name) {
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + seconds(20));
  const grpc::internal::RpcMethod method(name.c_str(), grpc::internal::RpcMethod::BIDI_STREAMING);
  const std::unique_ptr<grpc::ClientReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer>> stream(
      grpc::internal::ClientReaderWriterFactory<grpc::ByteBuffer, grpc::ByteBuffer>::Create(
          channel.get(), method, &context));
  stream->Write(message_of(name));
  stream->WritesDone();
  grpc::ByteBuffer reply;
  while (stream->Read(&reply)) continue;
  return stream->Finish();
}

// By the listener, before a service of ours sees the call: those say in details which Error it was.
bool is_refusal(const grpc::Status& status) {
  return status.error_details().empty() && (status.error_code() == grpc::StatusCode::UNAVAILABLE ||
                                            status.error_code() == grpc::StatusCode::UNAUTHENTICATED ||
                                            status.error_code() == grpc::StatusCode::PERMISSION_DENIED);
}

class StrangersCalls : public Strangers {
 protected:
  // Takes the certificate 'lost' back, and waits until all listeners have seen the list.
  void lose_one() const {
    create_certificates(pki("pki"), {{"lost", CertificateHolder::process, {}}}, 1);
    revoke_certificate(pki("pki"), "lost");
    const Deadline deadline(seconds(20));
    for (const std::string& address : listeners()) {
      const auto channel = open_channel(address, files("pki", "lost"));
      while (!is_refusal(call(channel, "/lamina.v1.Worker/Check")) && !deadline.passed()) continue;
    }
  }

  std::vector<std::string> listeners() const {
    return {worker_->address(), head_->address(), keeper_->address()};
  }

  std::filesystem::path blob() const { return directory_.path() / "store" / sha256(kBlob); }

  // Who connects, and how.
  std::map<std::string, std::shared_ptr<grpc::Channel>> strangers(const std::string& address) const {
    TlsFiles forged = files("other", "worker");
    forged.authority = files("pki", "worker").authority;
    grpc::SslCredentialsOptions silent;
    silent.pem_root_certs = read_file(forged.authority, 1U << 20U);
    grpc::ChannelArguments name;
    name.SetSslTargetNameOverride(std::string(kProcessName));
    return {{"nobody, in clear", open_channel(address, TlsFiles{})},
            {"nobody, by TLS", grpc::CreateCustomChannel(address, grpc::SslCredentials(silent), name)},
            {"a process of another authority", open_channel(address, files("other", "worker"))},
            {"the same, trusting ours", open_channel(address, forged)},
            {"a process of yesterday", open_channel(address, files("pki", "expired"))},
            {"a client", open_channel(address, files("pki", "client"))},
            {"another program's server", open_channel(address, files("pki", "registry"))},
            {"a process that was lost", open_channel(address, files("pki", "lost"))}};
  }
};

TEST_F(StrangersCalls, AreAllRefused) {
  lose_one();
  const std::vector<std::string> methods = all_methods();
  for (const std::string& address : listeners()) {
    for (const auto& [who, channel] : strangers(address)) {
      for (const std::string& method : methods) {
        const grpc::Status status = call(channel, method);
        EXPECT_TRUE(is_refusal(status)) << method << " at " << address << " by " << who << ": "
                                        << status.error_code() << " " << status.error_message();
      }
    }
  }
  EXPECT_EQ(frames_, 0);
  EXPECT_FALSE(std::filesystem::exists(blob()));
}

// Else what is refused above would be no call at all.
TEST_F(StrangersCalls, OfAProcessAreHeardAtOneListenerAtLeast) {
  for (const std::string& method : all_methods()) {
    bool heard = false;
    for (const std::string& address : listeners()) {
      const grpc::Status status = call(open_channel(address, files("pki", "worker")), method);
      EXPECT_FALSE(is_refusal(status)) << method << " at " << address << ": " << status.error_message();
      // Calls that a listener does not know are refused without details, too.
      heard =
          heard || status.error_code() != grpc::StatusCode::UNIMPLEMENTED || !status.error_details().empty();
    }
    EXPECT_TRUE(heard) << method << " is served by none";
  }
  EXPECT_EQ(frames_, 1);
  EXPECT_TRUE(std::filesystem::exists(blob()));
}

TEST_F(Strangers, ProcessesOfOneAuthorityHearEachOther) {
  WorkerClient client(worker_->address(), files("pki", "head"));
  EXPECT_EQ(client.describe(seconds(20)).device.name, "w");
  DataLink link(head_->address(), files("pki", "worker"), nullptr);
  link.send(Frame{});
  link.echo({}, seconds(20));
  EXPECT_EQ(frames_, 1);
}

}  // namespace
}  // namespace lamina
