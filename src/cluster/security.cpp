#include "cluster/security.h"

#include "base/error.h"
#include "base/file.h"

#include <grpcpp/create_channel.h>
#include <grpcpp/support/channel_arguments.h>

namespace lamina {

namespace {

constexpr std::uint64_t kMaxPem = 1U << 20U;

std::string read_pem(const std::filesystem::path& path, std::string_view what) {
  if (path.empty()) {
    fail(ErrorCode::invalid_argument, "TLS needs three files, the {} is missing", what);
  }
  return read_file(path, kMaxPem);
}

}  // namespace

std::shared_ptr<grpc::ServerCredentials> server_credentials(const TlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureServerCredentials();
  grpc::SslServerCredentialsOptions options(GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY);
  options.pem_root_certs = read_pem(files.authority, "authority");
  options.pem_key_cert_pairs.push_back(
      {read_pem(files.key, "key"), read_pem(files.certificate, "certificate")});
  return grpc::SslServerCredentials(options);
}

std::shared_ptr<grpc::ChannelCredentials> channel_credentials(const TlsFiles& files) {
  if (!files.enabled()) return grpc::InsecureChannelCredentials();
  return grpc::SslCredentials({read_pem(files.authority, "authority"), read_pem(files.key, "key"),
                               read_pem(files.certificate, "certificate")});
}

std::shared_ptr<grpc::Channel> open_channel(const std::string& address, const TlsFiles& files) {
  grpc::ChannelArguments arguments;
  arguments.SetMaxReceiveMessageSize(-1);
  arguments.SetMaxSendMessageSize(-1);
  if (files.enabled()) arguments.SetSslTargetNameOverride("lamina");
  // Each channel its own connection: a link that breaks takes no other with it.
  arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
  arguments.SetInt(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, 1000);
  return grpc::CreateCustomChannel(address, channel_credentials(files), arguments);
}

}  // namespace lamina
